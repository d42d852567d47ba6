"""`/coupons`."""

from chalicelib.api.resource import Resource
from chalicelib.features.coupons import service
from chalicelib.platform.http import Routes

routes = Routes(__name__)

Resource("coupon", "coupons", service.CATALOG, service.create, service.update, service.remove, service.show_all).mount(
    routes
)
