"""The five routes that every catalog resource has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from chalicelib.domain.errors import NotFound
from chalicelib.features.sandbox import service as test_clock
from chalicelib.platform import listing
from chalicelib.platform.agenda import Task
from chalicelib.platform.collection import Catalog, Record
from chalicelib.platform.http import Call, Routes
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.retry import retrying

R = TypeVar("R", bound=Record)
T = TypeVar("T")


def carry_out(call: Call, resource: str, change: Callable[[], tuple[T, Sequence[Task]]]) -> T:
    """Result of a whole change, from its reads to its transaction, retried while other writers are faster. Then its
    tasks are pushed; in a sandbox, tasks due by now run before the answer.

    Raises: ChangedMeanwhile; whatever else `change` raises.
    """
    result, tasks = retrying(change, resource)
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return result


@dataclass(frozen=True, slots=True)
class Resource(Generic[R]):
    """One catalog resource: `root` names it in bodies, `plural` in paths and lists.

    `create`, `update` and `remove` hold its rules: each returns the record and the tasks to push. `show` turns several
    records into the API's shapes at once, so that what they refer to is read in one request. `removed`: how the answer
    to a removal differs from the record before.
    """

    root: str
    plural: str
    catalog: Catalog[R]
    create: Callable[[Call, dict[str, Any]], tuple[R, Sequence[Task]]]
    update: Callable[[Call, R, dict[str, Any]], tuple[R, Sequence[Task]]]
    remove: Callable[[Call, R], tuple[R, Sequence[Task]]]
    show: Callable[[OrganizationId, Sequence[R]], list[dict[str, Any]]]
    removed: Mapping[str, Any] = field(default_factory=dict)

    def find(self, call: Call) -> R:
        """The live record that the path names.

        Raises: NotFound.
        """
        record = self.catalog.find(call.organization.id, call.path["code"])
        if record is None:
            raise NotFound(self.root)
        return record

    def answer(self, call: Call, record: R) -> dict[str, Any]:
        """One record under its root."""
        return {self.root: self.show(call.organization.id, [record])[0]}

    def mount(self, routes: Routes) -> None:
        """Register the five routes."""
        path, single = f"/{self.plural}", f"/{self.plural}/{{code}}"
        routes.post(path)(self._create)
        routes.get(path)(self._list)
        routes.get(single)(lambda call: self.answer(call, self.find(call)))
        routes.put(single)(self._update)
        routes.delete(single)(self._destroy)

    def _list(self, call: Call) -> dict[str, Any]:
        records, meta = self.catalog.page(call.organization.id, listing.wanted(call), call.one("search_term"))
        return {self.plural: self.show(call.organization.id, records), "meta": meta}

    def _create(self, call: Call) -> dict[str, Any]:
        return self.answer(call, carry_out(call, self.root, lambda: self.create(call, call.root(self.root))))

    def _update(self, call: Call) -> dict[str, Any]:
        def change() -> tuple[R, Sequence[Task]]:
            return self.update(call, self.find(call), call.root(self.root))

        return self.answer(call, carry_out(call, self.root, change))

    def _destroy(self, call: Call) -> dict[str, Any]:
        def change() -> tuple[dict[str, Any], Sequence[Task]]:
            record = self.find(call)
            shown = self.answer(call, record)  # Shown before: objects that it refers to may go with it.
            return shown[self.root], self.remove(call, record)[1]

        return {self.root: carry_out(call, self.root, change) | dict(self.removed)}
