"""The page at `/`: no scripts, nothing loaded from elsewhere, no secrets."""

from html import escape

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tollgate</title>
<style>
body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem; }}
pre {{ background: #f2f2f2; color: #111; padding: 0.8rem; overflow-x: auto; }}
</style>
</head>
<body>
<h1>Tollgate {version}</h1>
<p>Usage-based billing: send what your customers use, get invoices. It is running.</p>
<ul>
<li><strong>Console</strong>: <a href="{url}/console">{url}/console</a>, everything a person does, in the browser. {login}</li>
<li><strong>API</strong>: <code>{url}/api/v1</code>, compatible with Lago's v1 API. Each request carries a key:
<code>Authorization: Bearer &lt;API key&gt;</code>. {key}</li>
<li><strong>State</strong>: <a href="{url}/health">{url}/health</a></li>
<li><strong>How to begin</strong>: README.md, &ldquo;A first invoice in five minutes&rdquo;; docs/ has how it works, how it is
operated and what it costs.</li>
</ul>
<p>Who am I?</p>
<pre>curl -s {url}/api/v1/organizations -H "Authorization: Bearer $KEY"</pre>
</body>
</html>
"""

_LOCAL_KEY = "<code>make run</code> printed one, of a demo organization; it is also in <code>.local/api_key</code>."
_LOCAL_LOGIN = "<code>make run</code> printed who logs in."
_LOGIN = "Members come by invitation."
_KEY = "An organization gets its first one from <code>POST /admin/organizations</code>."


def page(url: str, version: str, *, local: bool) -> str:
    """The page of an installation whose clients see `url`."""
    return _PAGE.format(
        url=escape(url.rstrip("/")),
        version=escape(version),
        key=_LOCAL_KEY if local else _KEY,
        login=_LOCAL_LOGIN if local else _LOGIN,
    )
