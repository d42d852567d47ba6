"""Works as they are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict


class Work(BaseModel):
    """A long act on `number` objects. `title`: the act in words; `begun_at`: real time."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")

    id: str
    title: str
    number: int
    begun_at: datetime


class Outcome(BaseModel):
    """The end of one object. `place`: the list in which it stands, as `invoices`; `name`: its name or number; `code`: the
    refusal, None where it was carried out."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")

    place: str
    id: str
    name: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a work. `done`: the number of objects that have an outcome, failures among them."""

    work: Work
    done: int
    failures: Sequence[Outcome]

    @property
    def has_ended(self) -> bool:
        """Whether every object has an outcome."""
        return self.done >= self.work.number
