"""Pages of customers: the list, the tabs, the forms, and what they cost."""

import pytest

from chalicelib.features.customers import service as customers
from chalicelib.platform.http import Client
from tests.support import capacity
from tests.support.console import Shown, Visitor, member_of
from tests.support.story import Story
from tests.support.whole_customer import coupon, tell

TABS = ("usage", "invoices", "wallets", "credit_notes", "payments", "information", "settings")


@pytest.fixture
def cobalt(visitor: Visitor) -> str:
    """The id of a customer with some of everything."""
    return tell(visitor.story)


def fields_of(shown: Shown) -> dict[str, list[str]]:
    """What a form would post, as it was drawn."""
    return {name: values for name, values in shown.fields.items() if name not in ("csrf", "q", "theme")}


def test_the_list_shows_customers_newest_first(visitor: Visitor):
    for n in range(3):
        visitor.story.customer(f"c{n}", name=f"Customer {n}", currency="EUR")
    shown = visitor.get("customers")
    assert shown.status == 200
    assert shown.words.index("Customer 2") < shown.words.index("Customer 0")
    assert "1–3 of 3" in shown.words


def test_an_empty_list_says_what_it_is_for(visitor: Visitor):
    assert "Customers are whom you bill." in visitor.get("customers").words
    assert "Nothing matches" in visitor.get("customers", search_term="x").words


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param({"currencies": "USD"}, {"b"}, id="currency"),
        pytest.param({"countries": "JP"}, {"a"}, id="country"),
        pytest.param({"metadata_key": "segment", "metadata_value": "SMB"}, {"b"}, id="metadata"),
        pytest.param({"search_term": "name a"}, {"a"}, id="search"),
        pytest.param({"metadata_value": "SMB"}, {"a", "b"}, id="a value without a key is no filter"),
    ],
)
def test_each_filter_gives_what_the_api_gives(visitor: Visitor, query: dict[str, str], found: set[str]):
    visitor.story.customer("a", name="Name A", currency="EUR", country="JP")
    visitor.story.customer("b", name="Name B", currency="USD", metadata=[{"key": "segment", "value": "SMB"}])
    words = visitor.get("customers", **query).words
    assert {each for each in ("a", "b") if f"Name {each.upper()}" in words} == found


def test_names_are_text(visitor: Visitor):
    lago_id = visitor.story.customer("<b>c", name="<script>alert(1)</script>")["lago_id"]
    for address in ((), (lago_id,), (lago_id, "edit"), (lago_id, "delete"), (lago_id, "metadata")):
        assert "<script>alert" not in visitor.get("customers", *address).text


def test_the_list_costs_few_requests_and_says_what_is_overdue(visitor: Visitor, cobalt: str):
    visitor.story.travel("2024-01-03T12:00:00Z")
    with capacity.counting() as meter:
        shown = visitor.get("customers")
    assert meter.total <= 8
    invoice = visitor.story.invoices()[0]
    assert invoice["payment_overdue"] is False  # The coupon paid for all of it.
    assert "Cobalt Robotics cobalt billing@cobalt.example EUR Asia/Tokyo 1 –" in shown.words


@pytest.mark.parametrize("tab", [(), *((tab,) for tab in TABS)])
def test_every_tab_is_shown_for_few_requests(visitor: Visitor, cobalt: str, tab: tuple[str, ...]):
    with capacity.counting() as meter:
        shown = visitor.get("customers", cobalt, *tab)
    assert shown.status == 200
    assert "Cobalt Robotics" in shown.words
    assert meter.total <= 8, meter.requests
    assert shown.text.count("<h1") == 1


@pytest.mark.parametrize("tab", [(), *((tab,) for tab in TABS)])
def test_every_tab_is_shown_of_a_customer_that_has_nothing(visitor: Visitor, tab: tuple[str, ...]):
    lago_id = visitor.story.customer("bare")["lago_id"]
    assert visitor.get("customers", lago_id, *tab).status == 200


@pytest.mark.parametrize("page", [(), *((tab,) for tab in TABS), ("edit",), ("metadata",), ("delete",), ("nothing",)])
def test_customers_of_others_and_deleted_ones_are_not_there(visitor: Visitor, page: tuple[str, ...]):
    other = Story.begin(name="Others").customer("theirs")["lago_id"]
    gone = visitor.story.customer("gone")["lago_id"]
    visitor.story.ok("DELETE", "/customers/gone")
    for lago_id in (other, gone, "nothing"):
        assert visitor.get("customers", lago_id, *page).status == 404


def test_the_overview_shows_the_figures_of_the_api(visitor: Visitor):
    story = visitor.story
    story.customer("c", name="C", currency="EUR", timezone="Asia/Tokyo")
    story.plan("p", amount_cents=3_100, pay_in_advance=True)
    story.subscribe("p", "s", "c", name="Production")
    story.travel("2024-02-10T00:00:00Z")
    lago_id = story.ok("GET", "/customers/c")["customer"]["lago_id"]
    words = visitor.get("customers", lago_id).words
    total = sum(each["total_amount_cents"] for each in story.invoices())
    assert total == 6_200  # January was billed whole, as the subscription began with it in Tokyo too.
    assert "Invoiced €62.00 this year Overdue €62.00" in words
    assert "Next invoice Mar 1, 2024" in words
    assert "Production s Active" in words


def test_coupons_stand_in_the_order_of_deduction_with_what_the_api_says_is_left(visitor: Visitor):
    story = visitor.story
    lago_id = story.customer("c", currency="EUR")["lago_id"]
    story.plan("p", amount_cents=10_000, pay_in_advance=True)
    coupon(
        story, "SECOND", "c", coupon_type="percentage", percentage_rate=10, frequency="recurring", frequency_duration=6
    )
    story.travel("2024-01-01T01:00:00Z")
    coupon(story, "FIRST", "c", amount_cents=50_000)
    coupon(story, "EVER", "c", coupon_type="percentage", percentage_rate=1, frequency="forever")
    story.subscribe("p", "s", "c")
    shown = visitor.get("customers", lago_id).words
    order = [each["coupon_code"] for each in story.ok("GET", "/customers/c/applied_coupons")["applied_coupons"]][::-1]
    assert sorted(order, key=shown.index) == order
    (once,) = [
        each for each in story.ok("GET", "/applied_coupons")["applied_coupons"] if each["coupon_code"] == "FIRST"
    ]
    assert once["amount_cents_remaining"] == 41_000  # 500.00 less 100.00 - 10 %.
    assert "€410.00 of €500.00" in shown
    assert "5 of 6 periods" in shown
    assert "until removed" in shown


def test_a_double_click_adds_one_customer(visitor: Visitor):
    form = {**fields_of(visitor.get("customers", "new")), "external_id": "new", "name": "New"}
    first, second = visitor.post("customers", "new", form=form), visitor.post("customers", "new", form=form)
    assert (first.status, second.status) == (303, 303)
    assert first.location == second.location
    assert visitor.story.ok("GET", "/customers")["meta"]["total_count"] == 1
    assert visitor.at(first.location).status == 200


def test_a_new_customer_never_overwrites_another(visitor: Visitor):
    visitor.story.customer("taken", name="First")
    form = {**fields_of(visitor.get("customers", "new")), "external_id": "taken", "name": "Second"}
    refused = visitor.post("customers", "new", form=form)
    assert refused.status == 422
    assert "value_already_exist" in refused.words
    assert refused.fields["name"] == ["Second"]
    assert visitor.story.ok("GET", "/customers/taken")["customer"]["name"] == "First"


def test_nothing_is_added_while_the_clock_moves(visitor: Visitor, monkeypatch: pytest.MonkeyPatch):
    form = {**fields_of(visitor.get("customers", "new")), "external_id": "new"}
    monkeypatch.setattr("chalicelib.console.dispatch.Client", lambda ref, now, _, ip: Client(ref, now, True, ip))
    refused = visitor.post("customers", "new", form=form)
    assert refused.status == 409
    assert "test_clock_advancing" in refused.words


def test_a_locked_currency_is_closed_in_the_form_and_refused_when_forged(visitor: Visitor, cobalt: str):
    shown = visitor.get("customers", cobalt, "edit")
    assert "Locked: something of this customer is in this currency already." in shown.words
    form = fields_of(shown)
    assert form["currency"][-1] == "EUR"
    refused = visitor.post("customers", cobalt, "edit", form={**form, "currency": "USD"})
    assert refused.status == 422
    assert "currencies_does_not_match" in refused.words
    assert visitor.post("customers", cobalt, "edit", form=form).status == 303
    assert visitor.story.ok("GET", "/customers/cobalt")["customer"]["currency"] == "EUR"


def test_saving_without_a_change_changes_nothing(visitor: Visitor, cobalt: str):
    before = visitor.story.ok("GET", "/customers/cobalt")["customer"]
    assert (
        visitor.post("customers", cobalt, "edit", form=fields_of(visitor.get("customers", cobalt, "edit"))).status
        == 303
    )
    after = visitor.story.ok("GET", "/customers/cobalt")["customer"]
    for each in (before, after):
        each.pop("updated_at")
        # A tick box says no, where nothing was said.
        each["billing_configuration"] |= {
            name: bool(each["billing_configuration"][name]) for name in ("sync", "sync_with_provider")
        }
    assert after == before


def test_the_external_id_cannot_be_forged(visitor: Visitor, cobalt: str):
    form = {**fields_of(visitor.get("customers", cobalt, "edit")), "external_id": "other", "name": "Renamed"}
    assert visitor.post("customers", cobalt, "edit", form=form).status == 303
    assert visitor.story.ok("GET", "/customers/cobalt")["customer"]["name"] == "Renamed"
    assert visitor.story.call("GET", "/customers/other").status == 404


def test_external_ids_with_odd_characters_are_addressed_by_their_id(visitor: Visitor):
    lago_id = visitor.story.ok("POST", "/customers", {"customer": {"external_id": "a/b?c=d&e#f %é"}})["customer"][
        "lago_id"
    ]
    for page in ((), *((tab,) for tab in TABS), ("edit",)):
        assert visitor.get("customers", lago_id, *page).status == 200
    form = {**fields_of(visitor.get("customers", lago_id, "edit")), "name": "Odd"}
    assert visitor.post("customers", lago_id, "edit", form=form).status == 303
    assert "Odd" in visitor.get("customers", lago_id).words


def test_a_sixth_pair_cannot_be_added_and_a_forged_one_is_refused(visitor: Visitor):
    lago_id = visitor.story.customer("c")["lago_id"]
    form = {f"metadata.{n}.{name}": f"{name}{n}" for n in range(5) for name in ("key", "value")}
    five = visitor.post("customers", lago_id, "metadata", form={**form, "_do": "draw"})
    assert "Add metadata" not in five.words
    assert "5 at most." in five.words
    assert visitor.post("customers", lago_id, "metadata", form=form).status == 303
    refused = visitor.post(
        "customers", lago_id, "metadata", form={**form, "metadata.5.key": "k", "metadata.5.value": "v"}
    )
    assert refused.status == 422
    assert "invalid_count" in refused.words
    assert len(visitor.story.ok("GET", "/customers/c")["customer"]["metadata"]) == 5


def test_a_wrong_pair_is_told_at_its_row_and_no_other(visitor: Visitor):
    lago_id = visitor.story.customer("c")["lago_id"]
    form = {"metadata.0.key": "good", "metadata.0.value": "v", "metadata.3.key": "k" * 21, "metadata.3.value": ""}
    refused = visitor.post("customers", lago_id, "metadata", form=form)
    assert refused.status == 422
    assert 'id="f-metadata.3.key-error"' in refused.text
    assert 'id="f-metadata.3.value-error"' in refused.text
    assert 'id="f-metadata.0.key-error"' not in refused.text


def test_metadata_is_changed_and_removed(visitor: Visitor, cobalt: str):
    form = fields_of(visitor.get("customers", cobalt, "metadata"))
    assert form["metadata.0.key"] == ["segment"]
    form |= {"metadata.0.value": ["Enterprise"], "metadata.0.display_in_invoice": ["false"]}
    assert visitor.post("customers", cobalt, "metadata", form=form).status == 303
    (pair,) = visitor.story.ok("GET", "/customers/cobalt")["customer"]["metadata"]
    assert (pair["value"], pair["display_in_invoice"]) == ("Enterprise", False)
    assert pair["lago_id"] == form["metadata.0.id"][0]
    assert visitor.post("customers", cobalt, "metadata", form={"request_id": "r"}).status == 303
    assert visitor.story.ok("GET", "/customers/cobalt")["customer"]["metadata"] == []


def test_settings_change_what_the_api_answers_and_nothing_else(visitor: Visitor, cobalt: str):
    form = fields_of(visitor.get("customers", cobalt, "settings"))
    assert "metadata.0.key" not in form
    form |= {
        "billing_configuration.invoice_grace_period": ["3"],
        "billing_configuration.document_locale": ["fr"],
        "net_payment_term": ["30"],
        "tax_codes": [""],
    }
    assert visitor.post("customers", cobalt, "settings", form=form).status == 303
    customer = visitor.story.ok("GET", "/customers/cobalt")["customer"]
    assert customer["billing_configuration"]["invoice_grace_period"] == 3
    assert customer["billing_configuration"]["document_locale"] == "fr"
    assert (customer["net_payment_term"], customer["taxes"]) == (30, [])
    assert (customer["name"], len(customer["metadata"])) == ("Cobalt Robotics", 1)


def test_deletion_tells_what_ends_and_asks_for_the_external_id(visitor: Visitor, cobalt: str):
    told = visitor.get("customers", cobalt, "delete")
    assert "1 active subscription ends now" in told.words
    assert "The wallet balance of €240.00 is lost." in told.words
    refused = visitor.post("customers", cobalt, "delete", form={"confirmation": "cobal"})
    assert refused.status == 422
    assert visitor.story.call("GET", "/customers/cobalt").status == 200
    done = visitor.post("customers", cobalt, "delete", form={"confirmation": "cobalt"})
    assert (done.status, done.location.endswith("/customers")) == (303, True)
    assert visitor.story.call("GET", "/customers/cobalt").status == 404


def test_a_customer_with_nothing_is_deleted_at_once(visitor: Visitor):
    lago_id = visitor.story.customer("bare")["lago_id"]
    assert visitor.post("customers", lago_id, "delete").status == 303
    assert visitor.story.call("GET", "/customers/bare").status == 404


def test_members_of_other_organizations_change_nothing(visitor: Visitor, cobalt: str):
    stranger = member_of(Story.begin(name="Others"), "eve@example.com")
    for page in ("edit", "settings", "metadata", "delete"):
        assert stranger.post("customers", cobalt, page, form={"name": "Eve", "confirmation": "cobalt"}).status == 404
    assert visitor.story.ok("GET", "/customers/cobalt")["customer"]["name"] == "Cobalt Robotics"


def test_customers_from_before_there_were_figures_show_none(
    visitor: Visitor, cobalt: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("chalicelib.features.customers.figures.among", lambda items: None)
    words = visitor.get("customers", cobalt).words
    assert "Invoiced" not in words
    assert "Wallet balance €240.00" in words
    assert visitor.get("customers").status == visitor.get("customers", cobalt, "invoices").status == 200
    assert next(iter(customers.heads(visitor.story.ref.id, [cobalt]).values())).figures is None  # type: ignore[list-item]


@pytest.mark.parametrize("act", ["new", "edit", "metadata"])
def test_forged_metadata_is_refused_and_no_bug(visitor: Visitor, act):
    customer = visitor.story.customer("c")["lago_id"]
    place = ["customers", act] if act == "new" else ["customers", customer, act]
    answer = visitor.post(*place, form={"external_id": "q1", "metadata": "x"})
    assert (answer.status, "invalid_type" in answer.words) == (422, True)


def test_customers_with_overdue_invoices_are_found(visitor: Visitor):
    story = visitor.story
    add_on = {"name": "S", "code": "s", "amount_cents": 1250, "amount_currency": "EUR"}
    story.ok("POST", "/add_ons", {"add_on": add_on})
    for name in ("late", "prompt", "idle"):
        story.customer(name, name=name.capitalize(), currency="EUR")
        if name != "idle":
            body = {"external_customer_id": name, "fees": [{"add_on_code": "s"}]}
            invoice = story.ok("POST", "/invoices", {"invoice": body})["invoice"]
    payment = {"invoice_id": invoice["lago_id"], "amount_cents": 1250}
    story.ok("POST", "/payments", {"payment": payment})
    story.travel("2024-01-03T00:00:00Z")

    def found(word: str) -> list[str]:
        listed = story.ok("GET", f"/customers?has_overdue_invoices={word}")
        assert listed["meta"]["total_count"] == len(listed["customers"])
        return sorted(each["external_id"] for each in listed["customers"])

    assert (found("true"), found("false")) == (["late"], ["idle", "prompt"])
    assert story.call("GET", "/customers?has_overdue_invoices=maybe").status == 422
    shown = visitor.get("customers", has_overdue_invoices="true").words
    assert "Late" in shown
    assert "Prompt" not in shown
    assert "1–1 of 1" in shown


def test_the_next_invoice_is_estimated_by_the_apis_preview(visitor: Visitor):
    story = visitor.story
    story.plan("growth", amount_cents=4900, pay_in_advance=False)
    customer = story.customer("late", currency="EUR")["lago_id"]
    story.subscribe("growth", "one", "late")
    story.subscribe("growth", "two", "late")
    body = {"customer": {"external_id": "late"}, "subscriptions": {"external_ids": ["one", "two"]}}
    cents = story.ok("POST", "/invoices/preview", body)["invoice"]["total_amount_cents"]
    assert "part=estimate" in visitor.get("customers", customer).text
    visitor.headers["hx-request"] = "true"
    assert visitor.get("customers", customer, part="estimate").words == f"≈ €{cents / 100:.2f} as things stand"
    idle = story.customer("idle")["lago_id"]
    assert visitor.get("customers", idle, part="estimate").words == ""
