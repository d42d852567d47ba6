"""The console's addresses as Chalice knows them: few, as API Gateway has a quota of resources. `router.py` knows the pages.

Everything else of the console is imported at its first request: Jinja2 and Babel would double the import of the app.
"""

from chalice.app import Blueprint, Response

from chalicelib.platform import log
from chalicelib.platform.http.call import id_of

blueprint = Blueprint(__name__)

# Depths of addresses below `/console`.
_DEPTH = 6


def _answer(**segments: str) -> Response:
    from chalicelib.console import dispatch

    request = blueprint.current_request
    with log.about(request_id=id_of(request)):
        return dispatch.answer(request, [segments[name] for name in sorted(segments)])


def _invitation(token: str) -> Response:
    from chalicelib.console import dispatch

    return dispatch.redirect(f"/console/invitation/{token}")


def _mount() -> None:
    for depth in range(_DEPTH + 1):
        path = "/console" + "".join(f"/{{{name}}}" for name in "abcdef"[:depth])
        blueprint.route(path, methods=["GET", "POST"], content_types=["*/*"], name=f"console_{depth}")(_answer)
    blueprint.route("/invitation/{token}", methods=["GET"], content_types=["*/*"])(_invitation)


_mount()
