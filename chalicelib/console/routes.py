"""The console's addresses as the app knows them; `router.py` knows the pages behind them.

Everything else of the console is imported at its first request: Jinja2 and Babel would double the import of the app.
"""

from collections.abc import Sequence
from typing import Any

from chalicelib.platform.http.site import Site

_DEPTH = 6


def _answer(request: Any, segments: Sequence[str]) -> Any:
    from chalicelib.console import dispatch

    return dispatch.answer(request, segments)


def _invitation(request: Any, segments: Sequence[str]) -> Any:
    from chalicelib.console import dispatch

    return dispatch.to_invitation(segments[0])


_site = Site(__name__, "/console", depth=_DEPTH, handler=_answer)
_site.also("/invitation/{token}", "invitation", _invitation)
blueprint = _site.blueprint
