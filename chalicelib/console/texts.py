"""Codes, states and enumerations of the API as English text."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Refusal(NamedTuple):
    """A refusal to show: what to do, and the API's code."""

    text: str
    code: str
    field: str = ""


# Codes of forms alone: the API has no such fields.
DOES_NOT_MATCH, CONFIRMATION_DOES_NOT_MATCH = "does_not_match", "confirmation_does_not_match"

# Advice by code. A test demands a text for each code that there is.
_REFUSALS: Mapping[str, str] = {
    "value_is_mandatory": "This is needed.",
    "value_is_invalid": "This value is not allowed here.",
    "value_is_too_long": "This is too long.",
    "value_is_out_of_range": "This is beyond the allowed range.",
    "value_already_exist": "Another one has this already. Choose a different one.",
    "value_must_be_blank": "Leave this empty here.",
    "value_must_be_later": "The clock only moves forward. Choose a later instant.",
    "value_must_be_at_most_3653_days_later": "The clock moves over ten years at most. Choose an earlier instant.",
    "validation_errors": "Some fields need another value.",
    "request_too_large": "This is more than one request may hold.",
    "service_busy": "The service is busy. Try again in a moment.",
    "changed_meanwhile": "Somebody else changed this meanwhile. Look at it again, then repeat what you wanted.",
    "test_clock_advancing": "The clock is moving. Try again when it has arrived.",
    "test_clock_not_allowed": "Only sandboxes have a clock of their own.",
    "invalid_type_or_status": "The invoice's type or status does not allow this.",
    "invoiced_fee": "This fee is on an invoice. Change the invoice instead.",
    "metadata_on_draft_invoice": "A draft takes no metadata yet. Finalize it first.",
    "payment_status_update_on_draft_invoice": "A draft has no payment status yet. Finalize it first.",
    "update_on_voided_invoice": "A voided invoice takes no payment status.",
    "not_voidable": "This cannot be voided: it is not final, or what was credited for it was used.",
    "not_deletable": "Only drafts can be deleted.",
    "not_disputable": "Only payments of final invoices can be disputed.",
    "invalid_status": "The invoice is in another state than this needs.",
    "no_active_subscription": "The customer has no such active subscription.",
    "only_one_limitation_type_per_coupon_allowed": "Limit a coupon to plans or to metrics, not to both.",
    "plan_overlapping": "An active coupon of this customer covers the same plan or metric already.",
    "no_voidable_amount": "Nothing is left of this credit note.",
    "invalid_count": "These are more than allowed. Remove some.",
    "invalid_type": "This needs a list.",
    "invalid_value": "This value is not allowed here.",
    "invalid_format": "This is no instant in Unix time.",
    "unsupported_value": "One of these is not allowed.",
    "invalid_date": "This is no day or time that can be used here.",
    "invalid_timezone": "Choose a time zone from the list.",
    "invalid_email_format": "This is no e-mail address.",
    "not_a_valid_country_code": "Choose a country from the list.",
    "not_a_valid_language_code": "Documents are not available in this language.",
    "url_is_invalid": "This needs to be a web address that begins with https://.",
    "contains invalid types": "Some of these types of messages do not exist.",
    "invalid_expression": "This formula cannot be read.",
    "invalid_event": "The formula has no result for this event.",
    "expression_evaluation_failed": "The metric's formula has no result for this event.",
    "not_compatible_with_aggregation_type": "This aggregation cannot recur.",
    "invalid_aggregation_type_or_charge_model": "This charge model cannot price the metric's aggregation, or not in advance.",
    "invalid_billable_metric_or_charge_model": "Usage of this metric and charge model cannot be prorated.",
    "invalid_charge_model": "This charge model excludes the option.",
    "not_compatible_with_pay_in_advance": "A charge paid in advance has no spending minimum.",
    "must_be_true_unless_pay_in_advance": "Fees in arrears are always invoiced.",
    "only_compatible_with_pay_in_advance_and_non_invoiceable": "Only fees paid in advance without an invoice are regrouped.",
    "invalid_amount": "Enter an amount from 0 on, with no more decimals than the currency has.",
    "invalid_rate": "Enter a rate from 0 on, like 2.5.",
    "invalid_fixed_amount": "Enter an amount from 0 on.",
    "invalid_free_units": "Enter a whole number from 0 on.",
    "invalid_free_units_per_events": "Enter a whole number above 0.",
    "invalid_free_units_per_total_aggregation": "Enter an amount from 0 on.",
    "invalid_package_size": "Enter a whole number above 0.",
    "per_transaction_max_lower_than_per_transaction_min": "The maximum is below the minimum.",
    "missing_graduated_ranges": "Add at least one range.",
    "missing_graduated_percentage_ranges": "Add at least one range.",
    "missing_volume_ranges": "Add at least one range.",
    "invalid_graduated_ranges": "Each range begins where the one above ends, and only the last is open.",
    "invalid_graduated_percentage_ranges": "Each range begins where the one above ends, and only the last is open.",
    "invalid_volume_ranges": "Each range begins where the one above ends, and only the last is open.",
    "must_be_an_array": "This needs a list.",
    "higher_than_remaining_fee_amount": "This is more than what is left of the fee.",
    "higher_than_remaining_invoice_amount": "This is more than what is left of the invoice.",
    "higher_than_wallet_balance": "This is more than what is left in the wallet.",
    "cannot_refund_unpaid_invoice": "Nothing of this invoice was paid, so nothing can be refunded.",
    "does_not_match_item_amounts": "Credit and refund together must be the items with their tax.",
    "total_amount_must_be_positive": "Choose at least one fee with an amount above 0.",
    "fees_not_found": "Add at least one fee.",
    "customer_not_found": "There is no such customer.",
    "wallet_not_found": "There is no such wallet.",
    "wallet_is_terminated": "This wallet has ended.",
    "wallet_limit_reached": "The customer has as many active wallets as it may have.",
    "invalid_paid_credits": "Enter credits from 0 on.",
    "invalid_granted_credits": "Enter credits from 0 on.",
    "invalid_voided_credits": "Enter credits from 0 on.",
    "insufficient_credits": "The wallet has fewer credits than this.",
    "amount_rounds_to_zero": "These credits are worth less than the smallest coin.",
    "amount_below_minimum": "This is below the wallet's smallest purchase.",
    "amount_above_maximum": "This is above the wallet's largest purchase.",
    "invalid_recurring_rule": "The rule lacks what its trigger or method needs, or adds nothing.",
    "invalid_number_of_recurring_rules": "A wallet has one recurring rule at most.",
    "coupon_is_not_reusable": "The customer had this coupon before, and it is for once.",
    "currencies_does_not_match": "This customer is billed in another currency.",
    "does_not_match_an_instant_charge": "No charge paid in advance prices this event.",
    "value_is_not_valid_number": "The event's quantity is no number.",
    "no_events": "There are no events.",
    "too_many_events": "These are more events than one request may hold.",
    "invalid_operation_type": "The event neither adds nor removes.",
    "recurring_resource_already_added": "The event adds what is there already.",
    "recurring_resource_not_found": "The event removes what is not there.",
    "billing_entity_must_be_in_eu": "European VAT is managed from a member state only. Set the organization's country first.",
    "exceeded_limit": "There are as many of these as there may be.",
    "values_are_invalid": "Give both instants, the earlier one first.",
    "no_linked_payment_provider": "The customer has no payment provider.",
    "invalid_payment_provider": "The customer's provider has no payment pages.",
    "invalid_invoice_status_or_payment_status": "The invoice is not final, or it is paid.",
    "missing_payment_provider": "The organization is not connected with the provider.",
    "payment_processor_is_currently_handling_payment": "A payment is under way. Wait until it has succeeded or failed.",
    "invoices_not_overdue": "Only overdue invoices can be asked for. One of these is not.",
    "no_payment_methods_to_setup_available": "None of the customer's kinds of payment method can be left on a page.",
    "payment_provider_code_missing": "There are several connections with this provider. Say which.",
    "payment_provider_refused": "The payment provider refuses this.",
    "payment_provider_not_reached": "The payment provider gave no answer. Try again in a moment.",
    "missing_payment_provider_customer": "The customer is not linked with a customer of the provider.",
    "total_amount_exceeds_invoice_amount": "This is more than the void invoice leaves.",
    "incorrect_login_or_password": "E-mail or password is wrong.",
    "password_too_weak": "This password is easy to guess. Take a longer one, or several words.",
    "invalid_content_type": "Take a PNG or JPG picture.",
    "invalid_size": "This file is too large: 800 KB at most.",
    "value_is_too_short": "Use at least 12 characters.",
    "too_many_attempts": "There were too many attempts. Wait a while, then try again.",
    "cannot_revoke_own_membership": "You cannot remove yourself.",
    DOES_NOT_MATCH: "Both passwords must be the same.",
    CONFIRMATION_DOES_NOT_MATCH: "Type it exactly as it stands above.",
}

# Labels of states and enumerations, where the word is not merely the value with spaces.
_LABELS: Mapping[str, str] = {
    "pay_in_advance": "In advance",
    "count_agg": "Count",
    "sum_agg": "Sum",
    "max_agg": "Maximum",
    "latest_agg": "Latest",
    "unique_count_agg": "Unique count",
    "weighted_sum_agg": "Weighted sum",
    "recurring_count_agg": "Recurring count",
    "custom_agg": "Custom",
    "graduated_percentage": "Graduated percentage",
    "fixed_amount": "Fixed amount",
    "one_off": "One-off",
    "add_on": "Add-on",
    "advance_charges": "Advance charges",
    "progressive_billing": "Progressive billing",
    "semiannual": "Every six months",
    "semi_annual": "Every six months",
    "forever": "Forever",
    "duplicated_charge": "Duplicated charge",
    "product_unsatisfactory": "Product unsatisfactory",
    "order_change": "Order change",
    "order_cancellation": "Order cancellation",
    "fraudulent_charge": "Fraudulent charge",
    "jwt": "JWT",
    "hmac": "HMAC",
    "gocardless": "GoCardless",
    "misconfigured": "Needs a new secret",
    "PaymentRequest": "Payment request",
}

_TONES: Mapping[str, str] = {
    **dict.fromkeys(("succeeded", "active", "available", "finalized", "settled", "paid", "refunded", "done"), "ok"),
    **dict.fromkeys(
        ("pending", "processing", "requires_action", "partially_paid", "advancing", "retrying", "paused", "running"),
        "warn",
    ),
    **dict.fromkeys(("failed", "overdue", "error", "disputed", "misconfigured"), "bad"),
}


def refusal(code: str, field: str = "") -> Refusal:
    """A code with its text; a code without one is shown as it is."""
    text = _REFUSALS.get(code)
    if text is None and code.endswith("_not_found"):
        text = f"There is no such {code.removesuffix('_not_found').replace('_', ' ')}."
    if text is None and code.endswith("_changed_meanwhile"):
        text = _REFUSALS["changed_meanwhile"]
    return Refusal(text or code, code, field)


def all_refusals(details: Mapping[str, object]) -> list[Refusal]:
    """The refusals of all fields, in order."""
    found = []
    for name, codes in details.items():
        for code in codes if isinstance(codes, Sequence) and not isinstance(codes, str) else [codes]:
            found.append(refusal(str(code), "" if name == "base" else name))
    return found


def has_text(code: str) -> bool:
    """Whether a code has a text of its own."""
    return refusal(code).text != code


def label(value: str | None) -> str:
    """A state or a value of an enumeration."""
    if not value:
        return "\N{EN DASH}"
    return _LABELS.get(value) or value.replace("_", " ").capitalize()


def filter_value(value: str) -> str:
    """A value of a filter of a charge."""
    return "every listed value" if value == "__ALL_FILTER_VALUES__" else value


def tone(value: str | None) -> str:
    """The colour of a state: ok, warn, bad or muted."""
    return _TONES.get(value or "", "muted")
