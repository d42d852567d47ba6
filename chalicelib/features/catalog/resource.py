"""The five routes that every catalog resource has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from chalicelib.domain.errors import NotFound
from chalicelib.features.test_clock import service as test_clock
from chalicelib.platform import listing
from chalicelib.platform.agenda import Task
from chalicelib.platform.collection import Collection, Record
from chalicelib.platform.http import Call, Routes

R = TypeVar("R", bound=Record)
P = ParamSpec("P")
T = TypeVar("T")


def settled(change: Callable[Concatenate[Call, P], tuple[T, Sequence[Task]]]) -> Callable[Concatenate[Call, P], T]:
    """A change that leaves tasks, as a resource takes it: they are pushed, and in a sandbox what is due by now is done
    before the answer."""

    def carry_out(call: Call, /, *args: P.args, **kwargs: P.kwargs) -> T:
        result, tasks = change(call, *args, **kwargs)
        test_clock.settle(call.organization, now=call.now, tasks=tasks)
        return result

    return carry_out


@dataclass(frozen=True, slots=True)
class Resource(Generic[R]):
    """One catalog resource: `root` names it in bodies, `plural` in paths and lists.

    `create`, `update` and `remove` hold its rules; `show` turns several records into the API's shapes at once, so that
    what they refer to is read in one request; `removed`: how the answer to a removal differs from the record before.
    """

    root: str
    plural: str
    collection: Collection[R]
    create: Callable[[Call, dict[str, Any]], R]
    update: Callable[[Call, R, dict[str, Any]], R]
    remove: Callable[[Call, R], R]
    show: Callable[[str, Sequence[R]], list[dict[str, Any]]]
    removed: Mapping[str, Any] = field(default_factory=dict)

    def find(self, call: Call) -> R:
        """The live record that the path names.

        Raises: NotFound.
        """
        record = self.collection.find(call.organization.id, call.path["code"])
        if record is None:
            raise NotFound(self.root)
        return record

    def answer(self, call: Call, record: R) -> dict[str, Any]:
        """One record under its root."""
        return {self.root: self.show(call.organization.id, [record])[0]}

    def mount(self, routes: Routes) -> None:
        """Register the five routes."""
        path, single = f"/{self.plural}", f"/{self.plural}/{{code}}"
        routes.post(path)(lambda call: self.answer(call, self.create(call, call.root(self.root))))
        routes.get(path)(self._list)
        routes.get(single)(lambda call: self.answer(call, self.find(call)))
        routes.put(single)(lambda call: self.answer(call, self.update(call, self.find(call), call.root(self.root))))
        routes.delete(single)(self._destroy)

    def _list(self, call: Call) -> dict[str, Any]:
        records, meta = self.collection.page(call.organization.id, listing.wanted(call), call.one("search_term"))
        return {self.plural: self.show(call.organization.id, records), "meta": meta}

    def _destroy(self, call: Call) -> dict[str, Any]:
        record = self.find(call)
        shown = self.answer(call, record)  # As it was: what it refers to may go with it.
        self.remove(call, record)
        return {self.root: shown[self.root] | dict(self.removed)}
