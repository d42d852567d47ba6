"""`/plans`, and the parts of a plan below it."""

from chalicelib.api import plan_parts as part_routes
from chalicelib.api.resource import Resource
from chalicelib.features.plans import serializer, service
from chalicelib.platform.http import Routes

routes = Routes(__name__)

Resource(
    "plan",
    "plans",
    service.CATALOG,
    service.create,
    service.update,
    service.remove,
    serializer.show_all,
    removed={"pending_deletion": True},
).mount(routes)
part_routes.mount(routes)
