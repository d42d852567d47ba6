"""The same story on the packaged system: CloudFormation, real Lambda functions, API Gateway, SQS event sources."""

import base64
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import jwt
import pytest
import requests
from lago_python_client import Client
from lago_python_client.models import BatchEvent, BillableMetric, Customer, Event, Subscription, Tax, WebhookEndpoint

from infra import deploy, package
from infra.local.emulator import CREDENTIALS, Emulator, free_port

pytestmark = [pytest.mark.deployed, pytest.mark.pdf, pytest.mark.xdist_group("deployed")]

ADMIN_KEY = "deployed-admin-key"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the deployed API."""
    folder = tmp_path_factory.mktemp("deployed")
    emulator = Emulator(free_port(), None, folder / "emulator.log")
    before = dict(os.environ)
    try:
        emulator.wait_until_up()
        # The machine has the libraries already; on AWS they are in the zip.
        environment = {"AWS_ENDPOINT_URL": emulator.url, "FILES_URL": emulator.url, "LOCAL": "1"}
        package.build(folder / "package", "test", libraries=False, environment=environment)
        os.environ.update(CREDENTIALS, AWS_ENDPOINT_URL=emulator.url)
        parameters = {"Stage": "test", "AdminApiKey": ADMIN_KEY, "PublicUrl": "https://billing.example"}
        outputs = deploy.deploy(
            boto3.session.Session(), Path(folder / "package"), "test", bucket="deployments", parameters=parameters
        )
        yield f"{emulator.url}/restapis/{outputs['RestAPIId']}/api/_user_request_"
    finally:
        emulator.stop()
        os.environ.clear()
        os.environ.update(before)


def test_from_an_event_to_an_invoice_on_the_deployed_system(base: str) -> None:
    organization = {"name": "Deployed", "email": "d@example.com", "sandbox": True}
    made = requests.post(
        f"{base}/admin/organizations", json=organization, headers={"X-Admin-API-Key": ADMIN_KEY}, timeout=60
    )
    assert made.status_code == 201, made.text
    key = made.json()["api_key"]
    headers = {"Authorization": f"Bearer {key}"}
    client = Client(api_key=key, api_url=f"{base}/")

    def clock(to: str) -> None:
        body = {"test_clock": {"now": to}}
        answer = requests.put(f"{base}/api/v1/test_clock", json=body, headers=headers, timeout=60).json()["test_clock"]
        end = time.monotonic() + 60
        while answer["status"] != "ready" and time.monotonic() < end:
            time.sleep(0.5)
            answer = requests.get(f"{base}/api/v1/test_clock", headers=headers, timeout=60).json()["test_clock"]
        assert answer == {"now": to, "status": "ready"}

    clock("2024-01-01T00:00:00Z")
    client.taxes.create(Tax(name="VAT", code="vat", rate="20", applied_to_organization=True))
    metric = client.billable_metrics.create(
        BillableMetric(name="Calls", code="calls", aggregation_type="count_agg", recurring=False)
    )
    plan = {
        "name": "Pro",
        "code": "pro",
        "interval": "monthly",
        "amount_cents": 2000,
        "amount_currency": "EUR",
        "charges": [
            {"billable_metric_id": metric.lago_id, "charge_model": "standard", "properties": {"amount": "0.125"}}
        ],
    }
    assert requests.post(f"{base}/api/v1/plans", json={"plan": plan}, headers=headers, timeout=60).status_code == 200
    client.customers.create(Customer(external_id="cust", name="Customer", currency="EUR"))
    client.subscriptions.create(Subscription(external_customer_id="cust", plan_code="pro", external_id="sub"))
    events = [
        Event(transaction_id=f"t{n}", external_subscription_id="sub", code="calls", timestamp=1704300000 + n)
        for n in range(20)
    ]
    client.events.batch_create(BatchEvent(events=events))
    client.events.batch_create(BatchEvent(events=events))
    clock("2024-02-01T00:00:00Z")
    invoices = requests.get(f"{base}/api/v1/invoices", headers=headers, timeout=60).json()["invoices"]
    assert [invoice["total_amount_cents"] for invoice in invoices] == [2700]  # (20.00 + 20 x 0.125) x 1.2
    invoice = client.invoices.find(invoices[0]["lago_id"])
    assert [(fee.item.code, fee.units, fee.amount_cents) for fee in invoice.fees.__root__] == [
        ("pro", "1.0", 2000),
        ("calls", "20.0", 250),
    ]
    endpoint = client.webhook_endpoints.create(
        WebhookEndpoint(webhook_url="https://example.com/hook", signature_algo="jwt")
    )
    assert client.webhook_endpoints.find(endpoint.lago_id).webhook_url == "https://example.com/hook"
    public = client.webhooks.public_key()
    assert jwt.get_algorithm_by_name("RS256").prepare_key(public) is not None
    assert base64.b64encode(public)
    end = time.monotonic() + 60
    while (printed := client.invoices.download(invoice.lago_id)) is None and time.monotonic() < end:
        time.sleep(1)
    assert printed is not None
    lasting = base + printed.file_url.removeprefix("https://billing.example")
    assert requests.get(lasting, timeout=30).content.startswith(b"%PDF")
    assert requests.head(lasting, timeout=30).status_code == 302


def test_several_statuses_and_unknown_keys_pass_the_gateway(base: str) -> None:
    wrong = requests.get(
        f"{base}/api/v1/subscriptions?status[]=active&status[]=pending",
        headers={"Authorization": "Bearer x"},
        timeout=60,
    )
    assert (wrong.status_code, wrong.json()) == (401, {"status": 401, "error": "Unauthorized"})


def test_a_member_sees_pages_of_the_packaged_console(base: str) -> None:
    """Compiled templates, zipped pages, static files and cookies, behind API Gateway."""
    organization = {"name": "Deployed console", "email": "c@example.com", "sandbox": True}
    made = requests.post(
        f"{base}/admin/organizations", json=organization, headers={"X-Admin-API-Key": ADMIN_KEY}, timeout=60
    ).json()
    path = made["invite_url"].removeprefix("https://billing.example")
    led = requests.get(base + path, allow_redirects=False, timeout=60)
    assert (led.status_code, led.headers["Location"]) == (303, f"/console{path}")
    form = {"password": "walnut-otter-quarry-58", "password_confirmation": "walnut-otter-quarry-58"}
    ours = {"Origin": "https://billing.example"}
    joined = requests.post(f"{base}/console{path}", data=form, headers=ours, allow_redirects=False, timeout=60)
    assert joined.status_code == 303, joined.text
    cookie = joined.headers["Set-Cookie"].partition(";")[0]
    assert cookie.startswith("__Host-tollgate=")
    # ministack hands binary bodies on as they came, in base64; AWS decodes them by the API's binary types.
    plain = {"Accept-Encoding": "identity"}
    page = requests.get(base + joined.headers["Location"], headers={"Cookie": cookie, **plain}, timeout=60)
    assert page.status_code == 200
    assert "Deployed console" in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    styles = re.findall(r'href="([^"]+\.css)"', page.text)
    assert len(styles) == 3
    for address in styles:
        style = requests.get(base + address, headers=plain, timeout=60)
        assert (style.status_code, style.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
        assert "immutable" in style.headers["Cache-Control"]
        assert b"{" in base64.b64decode(style.content)
