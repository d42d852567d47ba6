"""The messages that an organization's endpoints got or are about to get."""

from dataclasses import dataclass
from datetime import datetime

from chalicelib.features.webhooks import log, log_store, numbering, serializer
from chalicelib.features.webhooks.records import Message
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.listing import Wanted


@dataclass(frozen=True, slots=True)
class Told:
    """A message as its log has it. `payload`: the body that is sent."""

    message: Message
    payload: str

    @property
    def id(self) -> str:
        return self.message.id

    @property
    def webhook_type(self) -> str:
        return self.message.webhook_type

    @property
    def object_type(self) -> str:
        return self.message.object_type

    @property
    def object_id(self) -> str | None:
        return self.message.object_id

    @property
    def status(self) -> str:
        return self.message.status

    @property
    def attempts(self) -> int:
        return self.message.attempts

    @property
    def http_status(self) -> int | None:
        return None if self.message.last is None else self.message.last.http_status

    @property
    def error(self) -> str | None:
        return None if self.message.last is None else self.message.last.error

    @property
    def last_at(self) -> datetime | None:
        return None if self.message.last is None else self.message.last.at


def messages(organization_id: OrganizationId, status: str | None = None) -> list[Told]:
    """All messages of an organization, the newest first, those included that wait for their numbers."""
    organization = OrganizationRef(organization_id, True)
    numbering.number(organization)
    found: list[Message] = []
    page = 1
    while True:
        part, meta = log.page(organization, log.Filters(), Wanted(page, 100))
        found += part
        if meta["next_page"] is None:
            break
        page += 1
    texts = log_store.payloads(organization_id, {message.payload_key for message in found})
    told = [Told(message, serializer.body_of(message, texts[message.payload_key])) for message in found]
    return [each for each in told if status is None or each.status == status]
