"""`/taxes`."""

from chalicelib.api.resource import Resource
from chalicelib.features.taxes import service
from chalicelib.platform.http import Routes

routes = Routes(__name__)

Resource("tax", "taxes", service.CATALOG, service.create, service.update, service.remove, service.show_all).mount(
    routes
)
