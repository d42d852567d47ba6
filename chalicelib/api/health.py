"""`GET /health` and the page at `/`, outside the API and without a key."""

from typing import Any

from chalicelib.api.page import page
from chalicelib.platform.http import Answer, Call, Routes
from chalicelib.platform.settings import settings
from chalicelib.version import VERSION

routes = Routes(__name__, prefix="")


@routes.get("/health", key="none")
def health(call: Call) -> dict[str, Any]:
    """The service's own state. It touches nothing else, so it answers even if a dependency is broken."""
    return {"status": "ok", "version": VERSION, "github_url": None, "message": "Success"}


@routes.get("/", key="none")
def where_to_go(call: Call) -> Answer:
    """Page for people who open the address in a browser: the product's name, and links."""
    return Answer(page(settings().public_url, VERSION, local=settings().local), content_type="text/html; charset=utf-8")
