"""The API for another part of the same process: the very views that clients reach, without the network in between.

Whoever shows or changes something through it cannot show another figure than the API, nor do what the API refuses
(docs/decisions/0029).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Conflict
from chalicelib.platform import spans
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.http import endpoints
from chalicelib.platform.http.answers import Answer
from chalicelib.platform.http.call import Call
from chalicelib.platform.json import to_json

Query = Mapping[str, str | Sequence[str] | int | None]


def path_of(*segments: str) -> str:
    """The path of these segments, which may hold any characters."""
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)


@dataclass(frozen=True, slots=True)
class Client:
    """A client of one organization, at one instant. Its methods return the body of the answer.

    All raise what the views raise: BillingError for a refusal; LookupError for a path that no route has.
    """

    organization: OrganizationRef
    now: datetime
    advancing: bool
    source_ip: str = ""

    def get(self, path: str, query: Query | None = None) -> Any:
        """Read."""
        return self.request("GET", path, None, query)

    def post(self, path: str, body: Any = None, query: Query | None = None) -> Any:
        """Create or act."""
        return self.request("POST", path, body, query)

    def put(self, path: str, body: Any = None, query: Query | None = None) -> Any:
        """Change."""
        return self.request("PUT", path, body, query)

    def delete(self, path: str, query: Query | None = None) -> Any:
        """Remove."""
        return self.request("DELETE", path, None, query)

    def check_may_change(self) -> None:
        """Refuse a change that goes by a service, as the API would, while the organization's clock moves.

        Raises: Conflict.
        """
        if self.advancing:
            raise Conflict(ErrorCode.TEST_CLOCK_ADVANCING)

    def request(self, method: str, path: str, body: Any, query: Query | None) -> Any:
        """The body of the answer to a request."""
        segments = [unquote(segment) for segment in path.strip("/").split("/")]
        endpoint = endpoints.find(method, segments)
        declared = endpoint.load()
        if method != "GET" and not declared.while_advancing:
            self.check_may_change()
        call = Call(
            organization=self.organization,
            now=self.now,
            path={name[1:-1]: given for name, given in zip(endpoint.segments, segments, strict=True) if name[0] == "{"},
            query=_lists(query or {}),
            headers={},
            raw_body=b"" if body is None else to_json(body).encode(),
            source_ip=self.source_ip,
        )
        with spans.span():
            result = declared.view(call)
        return result.body if isinstance(result, Answer) else result

    def asking(self, query: Query) -> Call:
        """The call that asks for a list, for a page that shows less of each row than the API's list does."""
        return Call(
            organization=self.organization,
            now=self.now,
            path={},
            query=_lists(query),
            headers={},
            raw_body=b"",
            source_ip=self.source_ip,
        )


def _lists(query: Query) -> dict[str, Sequence[str]]:
    """Parameters as calls hold them; those that are None or empty are left out."""
    found: dict[str, Sequence[str]] = {}
    for name, value in query.items():
        values = [value] if isinstance(value, str | int) else list(value or [])
        kept = [str(each) for each in values if each != ""]
        if kept:
            found[name] = kept
    return found
