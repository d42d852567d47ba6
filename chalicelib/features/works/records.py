"""Works as they are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

Act = Literal["retry_payment", "finalize", "pdf", "export"]


class Work(BaseModel):
    """A long act. `title`: the act in words; `place`: the list that it is about, as `invoices`; `query`: which of the list,
    in the API's parameters; `ids`: those that were picked instead; `begun_at`: real time."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")

    id: str
    act: Act
    title: str
    place: str
    query: Mapping[str, Sequence[str]] = {}
    ids: Sequence[str] = ()
    begun_at: datetime


class Target(BaseModel):
    """An object to act on. `name`: its name or number."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")

    id: str
    name: str


class Failure(BaseModel):
    """An object on which the act was refused, with the API's code."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")

    target: Target
    code: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a work. `number`: of objects, as far as they are known; `done`: those that have an outcome, the `failed`
    ones among them; `failures`: the first of those; `page`: of the list, from which objects are chosen next, None when all
    are; `file`: what it made."""

    work: Work
    number: int
    done: int
    failed: int
    page: int | None
    has_ended: bool
    file: str | None
    failures: Sequence[Failure] = ()
