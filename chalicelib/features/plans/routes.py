"""`/plans`."""

from chalicelib.features.catalog.resource import Resource
from chalicelib.features.plans import serializer, service
from chalicelib.features.plans.store import PLANS
from chalicelib.platform.http import Routes

routes = Routes(__name__)

Resource("plan", "plans", PLANS, service.create, service.update, service.remove, serializer.show_all).mount(routes)
