"""Rules that say a code where a request would have to come a long way: each is called as it stands."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from chalicelib import limits
from chalicelib.domain import errors
from chalicelib.domain.aggregation.resources import Naming
from chalicelib.domain.charges import properties
from chalicelib.domain.charges.models import ChargeModel
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.invoicing import creditable
from chalicelib.domain.invoicing.credit_notes import Split
from chalicelib.domain.invoicing.creditable import CreditableFee, CreditableInvoice, NotesSoFar
from chalicelib.features.billable_metrics.formulas import Formula
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.members import passwords
from chalicelib.features.members import service as members
from chalicelib.features.payments.collection import pages as payment_pages
from chalicelib.features.payments.connections import reading as connections
from chalicelib.features.payments.connections import service as connecting
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.links import pages
from chalicelib.features.payments.providers.errors import Refused, Unknown
from chalicelib.features.payments.providers.values import ProviderError
from chalicelib.features.wallets import ledger
from chalicelib.features.wallets import service as wallets
from chalicelib.features.wallets.ledger import EntryInput
from chalicelib.features.wallets.records import Wallet
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform.ids import OrganizationId, UserId
from tests.support import bodies

NOW = datetime(2024, 2, 1, tzinfo=UTC)

C = ErrorCode


def codes_of(value: Any) -> Iterator[str]:
    """All texts of a refusal's details, and its own code."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from codes_of(inner)


def _properties(model: ChargeModel, given: dict[str, Any]) -> Callable[[], Any]:
    return lambda: properties.parse(model, given)


def _switches(**given: Any) -> Callable[[], Any]:
    usual = {"model": ChargeModel.STANDARD, "aggregation_type": "sum_agg", "recurring": False, "pay_in_advance": False}
    usual |= {"prorated": False, "invoiceable": True, "regroup_paid_fees": None, "min_amount_cents": 0}
    return lambda: properties.check_combination(**usual | given)


def _change(status: str, **values: Any) -> Callable[[], Any]:
    return lambda: invoices._updated(Invoice.model_construct(status=status, metadata=()), values, now=NOW)


def _note(item: int, *, credit: int = 0, refund: int = 0, wallet: int | None = None) -> Callable[[], Any]:
    fees = (CreditableFee("f", 100, Fraction(), ()),)
    invoice = CreditableInvoice(fees, NotesSoFar(), paid_cents=0, due_cents=100, wallet_cents=wallet)
    return lambda: creditable.note(invoice, [("f", Decimal(item))], Split(credit, refund, 0))


_RANGES = {
    ChargeModel.GRADUATED: "graduated_ranges",
    ChargeModel.GRADUATED_PERCENTAGE: "graduated_percentage_ranges",
    ChargeModel.VOLUME: "volume_ranges",
}
_SHARES = bodies.percentage()
_PACKAGES = {"amount": "1", "package_size": 10, "free_units": 1}
_NAMING = Naming("user")
_WRONG = {name: [bodies.tier() | {"rate": "1", "to_value": 1}] for name in _RANGES.values()}

_NOTHING = {"total_paid_amount_cents": 0, "offset_amount_cents": 0}
_UNPAID = Invoice.model_construct(status="finalized", payment_status="pending", total_amount_cents=1, **_NOTHING)
_DRAFT = Invoice.model_construct(status="draft", invoice_type="subscription")
_EMPTY = Wallet.model_construct(balance_credits=Decimal(0))


def _no_account(*connections: Any) -> None:
    """A page for a customer who is not linked, of an organization with these connections."""
    own = SimpleNamespace(payment_provider="stripe", payment_provider_code=None, provider_customer_id=None)
    organization, customer = SimpleNamespace(id="org"), SimpleNamespace(billing_configuration=own)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payment_pages.connections, "live", lambda _: list(connections))
        payment_pages.account_for(organization, customer, [_UNPAID])


def _raise_too_many() -> None:
    raise errors.TooManyAttempts(60)


# Rules that say the code, where a request would have to come a long way.
_CONNECTION = ProviderConnection.model_construct(code="main", payment_provider="stripe")


def _failing(failure: type[Refused] | type[Unknown]) -> None:
    with connecting._in_our_words():
        raise failure(ProviderError("x", "x"))


RULES: dict[ErrorCode, Callable[[], Any]] = {
    C.METADATA_ON_DRAFT_INVOICE: _change("draft", metadata=[]),
    C.PAYMENT_STATUS_UPDATE_ON_DRAFT_INVOICE: _change("draft", payment_status="failed"),
    C.UPDATE_ON_VOIDED_INVOICE: _change("voided", payment_status="failed"),
    C.INVALID_PAYMENT_PROVIDER: lambda: [payment_pages._refusal("gocardless", [_UNPAID])],
    C.INVALID_INVOICE_STATUS_OR_PAYMENT_STATUS: lambda: [payment_pages._refusal("stripe", [_DRAFT])],
    C.MISSING_PAYMENT_PROVIDER: lambda: _no_account(),
    C.MISSING_PAYMENT_PROVIDER_CUSTOMER: lambda: _no_account(_CONNECTION),
    C.HIGHER_THAN_REMAINING_FEE_AMOUNT: _note(101, credit=101),
    C.HIGHER_THAN_REMAINING_INVOICE_AMOUNT: _note(100, credit=102),
    C.HIGHER_THAN_WALLET_BALANCE: _note(100, refund=100, wallet=99),
    C.CANNOT_REFUND_UNPAID_INVOICE: _note(100, refund=100),
    C.DOES_NOT_MATCH_ITEM_AMOUNTS: _note(100, credit=50),
    C.TOTAL_AMOUNT_MUST_BE_POSITIVE: _note(0),
    C.EXPRESSION_EVALUATION_FAILED: lambda: Formula("n", "event.properties.a / 0").applied("c", 0, {"a": 1}),
    C.INVALID_AGGREGATION_TYPE_OR_CHARGE_MODEL: _switches(model=ChargeModel.DYNAMIC, aggregation_type="max_agg"),
    C.INVALID_BILLABLE_METRIC_OR_CHARGE_MODEL: _switches(prorated=True, recurring=False),
    C.NOT_COMPATIBLE_WITH_PAY_IN_ADVANCE: _switches(pay_in_advance=True, min_amount_cents=1),
    C.MUST_BE_TRUE_UNLESS_PAY_IN_ADVANCE: _switches(invoiceable=False),
    C.ONLY_COMPATIBLE_WITH_PAY_IN_ADVANCE_AND_NON_INVOICEABLE: _switches(regroup_paid_fees="invoice"),
    C.INVALID_AMOUNT: _properties(ChargeModel.STANDARD, {"amount": "-1"}),
    C.INVALID_RATE: _properties(ChargeModel.PERCENTAGE, _SHARES | {"rate": "x"}),
    C.INVALID_FIXED_AMOUNT: _properties(ChargeModel.PERCENTAGE, _SHARES | {"fixed_amount": "x"}),
    C.INVALID_FREE_UNITS: _properties(ChargeModel.PACKAGE, _PACKAGES | {"free_units": -1}),
    C.INVALID_FREE_UNITS_PER_EVENTS: _properties(ChargeModel.PERCENTAGE, _SHARES | {"free_units_per_events": 0}),
    C.INVALID_FREE_UNITS_PER_TOTAL_AGGREGATION: _properties(
        ChargeModel.PERCENTAGE, _SHARES | {"free_units_per_total_aggregation": "x"}
    ),
    C.INVALID_PACKAGE_SIZE: _properties(ChargeModel.PACKAGE, _PACKAGES | {"package_size": 0}),
    C.PER_TRANSACTION_MAX_LOWER_THAN_PER_TRANSACTION_MIN: _properties(
        ChargeModel.PERCENTAGE, _SHARES | {"per_transaction_max_amount": "0.01"}
    ),
    **{C(f"missing_{name}"): _properties(model, {}) for model, name in _RANGES.items()},
    **{C(f"invalid_{name}"): _properties(model, _WRONG) for model, name in _RANGES.items()},
    C.INVALID_OPERATION_TYPE: lambda: _NAMING.wrong_operation({"operation_type": "x"}),
    C.RECURRING_RESOURCE_ALREADY_ADDED: lambda: _NAMING.findings({"user": "a", "operation_type": "add"}, {("a",)}),
    C.RECURRING_RESOURCE_NOT_FOUND: lambda: _NAMING.findings({"user": "a", "operation_type": "remove"}, set()),
    C.INSUFFICIENT_CREDITS: lambda: ledger.voided(ledger.unchanged(_EMPTY), Decimal(1), EntryInput(), now=NOW),
    C.WALLET_LIMIT_REACHED: lambda: wallets._limits_of(limits.WALLETS_PER_CUSTOMER_MAX, None, NOW),
    C.INCORRECT_LOGIN_OR_PASSWORD: lambda: passwords.require(None, "x"),
    C.PASSWORD_TOO_WEAK: lambda: passwords.check("x" * limits.PASSWORD_CHARS_MIN, near=[]),
    C.VALUE_IS_TOO_SHORT: lambda: passwords.check("x", near=[]),
    C.TOO_MANY_ATTEMPTS: _raise_too_many,
    C.CANNOT_REVOKE_OWN_MEMBERSHIP: lambda: members.remove(OrganizationId("o"), UserId("u"), by=UserId("u"), now=NOW),
    C.PAYMENT_PROVIDER_NOT_FOUND: lambda: connections.check_choice("stripe", "other", [_CONNECTION]),
    C.NO_PAYMENT_METHODS_TO_SETUP_AVAILABLE: lambda: pages.types_left(["crypto"], frozenset(["crypto"])),
    C.PAYMENT_PROVIDER_CODE_MISSING: lambda: connections.check_choice("stripe", None, [_CONNECTION, _CONNECTION]),
    C.PAYMENT_PROVIDER_REFUSED: lambda: _failing(Refused),
    C.PAYMENT_PROVIDER_NOT_REACHED: lambda: _failing(Unknown),
    C.EXCEEDED_LIMIT: lambda: webhooks._check_number([None] * limits.WEBHOOK_ENDPOINTS_MAX),  # type: ignore[list-item]
}


@pytest.mark.parametrize("code", RULES, ids=str)
def test_a_rule_that_says_the_code(code):
    try:
        found = RULES[code]()
    except (errors.BillingError, properties.PropertyErrors) as error:
        found = [getattr(error, "code", ""), getattr(error, "details", {})]
    assert code in set(codes_of(found))
