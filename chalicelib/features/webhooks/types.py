"""All types of messages. Source: rules/webhooks 4."""

_ACTIONS: dict[str, str] = {
    "invoice": (
        "created drafted one_off_created paid_credit_added generated payment_status_updated payment_failure "
        "payment_overdue voided deleted payment_dispute_lost ready_to_finalize resynced"
    ),
    "credit_note": "created generated provider_refund_failure refund_failure",
    "customer": (
        "created updated payment_provider_created payment_provider_error checkout_url_generated vies_check "
        "accounting_provider_created accounting_provider_error crm_provider_created crm_provider_error tax_provider_error"
    ),
    "subscription": (
        "started terminated updated termination_alert trial_ended usage_threshold_reached canceled incomplete"
    ),
    "fee": "created tax_provider_error",
    "event": "error",
    "events": "errors",
    "plan": "created updated deleted",
    "billable_metric": "created updated deleted",
    "wallet": "created updated terminated depleted_ongoing_balance",
    "wallet_transaction": "created updated payment_failure",
    "payment_provider": "error",
    "payment": "requires_action succeeded",
    "payment_request": "created payment_status_updated payment_failure",
    "payment_receipt": "created generated",
    "dunning_campaign": "finished",
    "alert": "triggered",
    "feature": "created updated deleted",
    "integration": "provider_error",
    "quote": "created approved voided",
    "order_form": "created signed expired voided",
    "order": "created executed",
}

TYPES = frozenset(f"{resource}.{action}" for resource, actions in _ACTIONS.items() for action in actions.split())

# Subscribed to by one name, sent under the other: both stand for the same message.
_SAME = {"credit_note.provider_refund_failure": "credit_note.refund_failure"}


def subscribed(event_types: tuple[str, ...] | None, webhook_type: str) -> bool:
    """Whether an endpoint with this filter (None: everything) wants a type."""
    if event_types is None:
        return True
    wanted = {_SAME.get(name, name) for name in event_types}
    return _SAME.get(webhook_type, webhook_type) in wanted
