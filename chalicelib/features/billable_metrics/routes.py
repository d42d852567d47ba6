"""`/billable_metrics`."""

from chalicelib.features.billable_metrics import service
from chalicelib.features.billable_metrics.store import METRICS
from chalicelib.features.catalog.resource import Resource
from chalicelib.platform.http import Routes

routes = Routes(__name__)

Resource(
    "billable_metric", "billable_metrics", METRICS, service.create, service.update, service.remove, service.show_all
).mount(routes)
