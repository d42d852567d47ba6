"""`/add_ons`."""

from chalicelib.api.resource import Resource
from chalicelib.features.add_ons import service
from chalicelib.platform.http import Routes

routes = Routes(__name__)

Resource("add_on", "add_ons", service.CATALOG, service.create, service.update, service.remove, service.show_all).mount(
    routes
)
