"""`GET /health`, outside the API and without a key."""

from typing import Any

from chalicelib.platform.http import Call, Routes
from chalicelib.version import VERSION

routes = Routes(__name__, prefix="")


@routes.get("/health", key="none")
def health(call: Call) -> dict[str, Any]:
    """The service's own state; touches nothing else, so that it answers whatever is broken behind it."""
    return {"status": "ok", "version": VERSION, "github_url": None, "message": "Success"}
