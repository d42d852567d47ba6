"""The process's clients of AWS, with something done around each of their calls."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from chalicelib.platform import aws

# Carries out a call, given its name, what it sends, and the call itself.
Around = Callable[[str, dict[str, Any], Callable[..., Any]], Any]


class _Watched:
    def __init__(self, client: Any, around: Around) -> None:
        self._client = client
        self._around = around

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name.startswith("_") or name in ("exceptions", "meta", "generate_presigned_url"):
            return found
        return lambda **request: self._around(name, request, found)


@contextlib.contextmanager
def watched(around: Around) -> Iterator[None]:
    """All calls meanwhile go through `around`."""
    real = aws.client
    aws.client = lambda service, use="standard": _Watched(real(service, use), around)  # type: ignore[assignment]
    try:
        yield
    finally:
        aws.client = real
