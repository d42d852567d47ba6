"""The API's error codes: each one is declared here, once, with the case in which it is answered.

A code never changes: clients compare it. `Resource` names the objects whose `<resource>_not_found` (404) and
`<resource>_changed_meanwhile` (409) the API answers.
"""

from enum import StrEnum


class ErrorCode(StrEnum):
    """A code; `when` is the case in which it is answered."""

    when: str

    def __new__(cls, code: str, when: str = "") -> "ErrorCode":
        member = str.__new__(cls, code)
        member._value_ = code
        member.when = when
        return member

    # Answers without fields: `code` at the top of the body.
    VALIDATION_ERRORS = "validation_errors", "Fields are refused; `error_details` has their codes."
    REQUEST_TOO_LARGE = "request_too_large", "The body is longer than the limit."
    SERVICE_BUSY = "service_busy", "AWS is busy; the same request succeeds later."
    CHANGED_MEANWHILE = "changed_meanwhile", "Another writer changed an object of the request."
    TEST_CLOCK_ADVANCING = "test_clock_advancing", "The sandbox's clock is moving: only reads are served."
    TEST_CLOCK_NOT_ALLOWED = "test_clock_not_allowed", "The organization is no sandbox."
    INVALID_TYPE_OR_STATUS = "invalid_type_or_status", "The invoice's type or status does not allow it."
    INVOICED_FEE = "invoiced_fee", "The fee is on an invoice."
    METADATA_ON_DRAFT_INVOICE = "metadata_on_draft_invoice", "The invoice is a draft and takes no metadata yet."
    PAYMENT_STATUS_UPDATE_ON_DRAFT_INVOICE = (
        "payment_status_update_on_draft_invoice",
        "The invoice is a draft and cannot be paid yet.",
    )
    UPDATE_ON_VOIDED_INVOICE = "update_on_voided_invoice", "The invoice is void and takes no payment status."
    NOT_VOIDABLE = "not_voidable", "The invoice is not final, or what was credited for it was used."
    NOT_DELETABLE = "not_deletable", "The invoice is no draft."
    NOT_DISPUTABLE = "not_disputable", "The invoice is not final: no payment of it can be disputed."
    INVALID_STATUS = "invalid_status", "The invoice is in another state than the call needs."
    NO_ACTIVE_SUBSCRIPTION = "no_active_subscription", "The customer has no such active subscription."
    ONLY_ONE_LIMITATION_TYPE_PER_COUPON_ALLOWED = (
        "only_one_limitation_type_per_coupon_allowed",
        "The coupon is limited to plans and to metrics.",
    )
    PLAN_OVERLAPPING = "plan_overlapping", "An active coupon of the customer covers the same plan or metric."
    NO_VOIDABLE_AMOUNT = "no_voidable_amount", "Nothing is left of the credit note."
    TOO_MANY_ATTEMPTS = "too_many_attempts", "Too many attempts to log in failed; `Retry-After` says when to try again."
    CANNOT_REVOKE_OWN_MEMBERSHIP = "cannot_revoke_own_membership", "Nobody takes away their own membership."

    # Any field.
    VALUE_IS_MANDATORY = "value_is_mandatory", "The value is missing, null or blank."
    VALUE_IS_INVALID = "value_is_invalid", "The value is of another type, or none of the allowed values."
    VALUE_IS_TOO_LONG = "value_is_too_long", "The value has more characters than allowed."
    VALUE_IS_OUT_OF_RANGE = "value_is_out_of_range", "The number or instant lies beyond a bound."
    VALUE_ALREADY_EXIST = "value_already_exist", "Another object has this value."
    VALUE_MUST_BE_BLANK = "value_must_be_blank", "All usage is asked for, but of no charge or group."
    INVALID_COUNT = "invalid_count", "There are more entries than allowed."
    INVALID_TYPE = "invalid_type", "The value is no list or object."
    INVALID_VALUE = "invalid_value", "The value is none of the allowed ones."
    INVALID_FORMAT = "invalid_format", "The value is no Unix time."
    UNSUPPORTED_VALUE = "unsupported_value", "The list has an entry that is not allowed."

    # Fields of one type.
    INVALID_DATE = "invalid_date", "The value is no ISO 8601 date or instant, or lies on the wrong side of now."
    INVALID_TIMEZONE = "invalid_timezone", "The time zone database has no such name."
    INVALID_EMAIL_FORMAT = "invalid_email_format", "The value is no address of mail."
    NOT_A_VALID_COUNTRY_CODE = "not_a_valid_country_code", "ISO 3166 has no such two letters."
    NOT_A_VALID_LANGUAGE_CODE = "not_a_valid_language_code", "Documents are not available in this language."
    INVALID_CONTENT_TYPE = "invalid_content_type", "The value is no picture of a kind that documents can show."
    INVALID_SIZE = "invalid_size", "The picture has more bytes or pixels than allowed."
    URL_IS_INVALID = "url_is_invalid", "The value is no http(s) address with a host."
    CONTAINS_INVALID_TYPES = "contains invalid types", "The list names unknown types of webhooks, which follow."

    # Metrics, charges and their properties.
    INVALID_EXPRESSION = "invalid_expression", "The formula cannot be read."
    INVALID_EVENT = "invalid_event", "The formula has no result for the sample event."
    EXPRESSION_EVALUATION_FAILED = "expression_evaluation_failed", "The metric's formula has no result for the event."
    NOT_COMPATIBLE_WITH_AGGREGATION_TYPE = (
        "not_compatible_with_aggregation_type",
        "The aggregation cannot carry usage over into the next period.",
    )
    INVALID_AGGREGATION_TYPE_OR_CHARGE_MODEL = (
        "invalid_aggregation_type_or_charge_model",
        "The charge model cannot price this aggregation, or not in advance.",
    )
    INVALID_BILLABLE_METRIC_OR_CHARGE_MODEL = (
        "invalid_billable_metric_or_charge_model",
        "Usage of this metric and charge model cannot be prorated.",
    )
    INVALID_CHARGE_MODEL = "invalid_charge_model", "The fixed charge's model excludes the option."
    NOT_COMPATIBLE_WITH_PAY_IN_ADVANCE = (
        "not_compatible_with_pay_in_advance",
        "A charge paid in advance has no spending minimum.",
    )
    MUST_BE_TRUE_UNLESS_PAY_IN_ADVANCE = (
        "must_be_true_unless_pay_in_advance",
        "Fees in arrears are always invoiced.",
    )
    ONLY_COMPATIBLE_WITH_PAY_IN_ADVANCE_AND_NON_INVOICEABLE = (
        "only_compatible_with_pay_in_advance_and_non_invoiceable",
        "Only fees paid in advance without an invoice are regrouped.",
    )
    INVALID_AMOUNT = "invalid_amount", "The price is missing, negative or no decimal text."
    INVALID_RATE = "invalid_rate", "The rate is missing, negative or no decimal text."
    INVALID_FIXED_AMOUNT = "invalid_fixed_amount", "The amount per event is negative or no decimal text."
    INVALID_FREE_UNITS = "invalid_free_units", "The free units are no whole number from 0 on."
    INVALID_FREE_UNITS_PER_EVENTS = "invalid_free_units_per_events", "The free events are no whole number above 0."
    INVALID_FREE_UNITS_PER_TOTAL_AGGREGATION = (
        "invalid_free_units_per_total_aggregation",
        "The free usage is negative or no decimal text.",
    )
    INVALID_PACKAGE_SIZE = "invalid_package_size", "The package size is no whole number above 0."
    PER_TRANSACTION_MAX_LOWER_THAN_PER_TRANSACTION_MIN = (
        "per_transaction_max_lower_than_per_transaction_min",
        "The bounds of a transaction's fee are the wrong way round.",
    )
    MISSING_GRADUATED_RANGES = "missing_graduated_ranges", "The ranges are missing or empty."
    MISSING_GRADUATED_PERCENTAGE_RANGES = "missing_graduated_percentage_ranges", "The ranges are missing or empty."
    MISSING_VOLUME_RANGES = "missing_volume_ranges", "The ranges are missing or empty."
    INVALID_GRADUATED_RANGES = "invalid_graduated_ranges", "The ranges do not follow one another from 0 on."
    INVALID_GRADUATED_PERCENTAGE_RANGES = (
        "invalid_graduated_percentage_ranges",
        "The ranges do not follow one another from 0 on.",
    )
    INVALID_VOLUME_RANGES = "invalid_volume_ranges", "The ranges do not follow one another from 0 on."

    # Credit notes and payments.
    MUST_BE_AN_ARRAY = "must_be_an_array", "The items are no list."
    HIGHER_THAN_REMAINING_FEE_AMOUNT = (
        "higher_than_remaining_fee_amount",
        "The item is more than what is left of its fee.",
    )
    HIGHER_THAN_REMAINING_INVOICE_AMOUNT = (
        "higher_than_remaining_invoice_amount",
        "The amount is more than what is left of the invoice, was paid, or is due.",
    )
    HIGHER_THAN_WALLET_BALANCE = "higher_than_wallet_balance", "The items are more than what is left in the wallet."
    CANNOT_REFUND_UNPAID_INVOICE = "cannot_refund_unpaid_invoice", "Nothing of the invoice was paid."
    DOES_NOT_MATCH_ITEM_AMOUNTS = (
        "does_not_match_item_amounts",
        "The credit, the refund and the offset do not add up to the items with tax.",
    )
    TOTAL_AMOUNT_MUST_BE_POSITIVE = "total_amount_must_be_positive", "The credit note is worth nothing."

    # Wallets.
    CUSTOMER_NOT_FOUND = "customer_not_found", "No customer has the external id."
    WALLET_NOT_FOUND = "wallet_not_found", "There is no such wallet."
    WALLET_IS_TERMINATED = "wallet_is_terminated", "The wallet has ended."
    WALLET_LIMIT_REACHED = "wallet_limit_reached", "The customer has as many active wallets as it may have."
    INVALID_PAID_CREDITS = "invalid_paid_credits", "The credits to purchase are no decimal text from 0 on."
    INVALID_GRANTED_CREDITS = "invalid_granted_credits", "The credits to grant are no decimal text from 0 on."
    INVALID_VOIDED_CREDITS = "invalid_voided_credits", "The credits to void are no decimal text from 0 on."
    INSUFFICIENT_CREDITS = "insufficient_credits", "The wallet has fewer credits than shall be voided."
    AMOUNT_ROUNDS_TO_ZERO = "amount_rounds_to_zero", "The credits are worth less than half a cent."
    AMOUNT_BELOW_MINIMUM = "amount_below_minimum", "The purchase is below the wallet's minimum."
    AMOUNT_ABOVE_MAXIMUM = "amount_above_maximum", "The purchase is above the wallet's maximum."
    INVALID_RECURRING_RULE = (
        "invalid_recurring_rule",
        "The rule lacks what its trigger or method needs, or adds nothing.",
    )
    INVALID_NUMBER_OF_RECURRING_RULES = "invalid_number_of_recurring_rules", "A wallet has one recurring rule at most."

    # Members.
    INCORRECT_LOGIN_OR_PASSWORD = "incorrect_login_or_password", "No user has this e-mail with this password."
    PASSWORD_TOO_WEAK = "password_too_weak", "The password is easily guessed."
    VALUE_IS_TOO_SHORT = "value_is_too_short", "The password has fewer characters than it needs."

    # Customers, subscriptions, events.
    COUPON_IS_NOT_REUSABLE = "coupon_is_not_reusable", "The customer had the coupon before."
    CURRENCIES_DOES_NOT_MATCH = "currencies_does_not_match", "The customer is billed in another currency."
    DOES_NOT_MATCH_AN_INSTANT_CHARGE = (
        "does_not_match_an_instant_charge",
        "No charge paid in advance prices the event.",
    )
    VALUE_IS_NOT_VALID_NUMBER = "value_is_not_valid_number", "The event's quantity is no number."
    NO_EVENTS = "no_events", "The batch is empty."
    TOO_MANY_EVENTS = "too_many_events", "The batch has more events than allowed."
    INVALID_OPERATION_TYPE = "invalid_operation_type", "The event neither adds nor removes."
    RECURRING_RESOURCE_ALREADY_ADDED = "recurring_resource_already_added", "The event adds what is there."
    RECURRING_RESOURCE_NOT_FOUND = "recurring_resource_not_found", "The event removes what is not there."
    BILLING_ENTITY_MUST_BE_IN_EU = "billing_entity_must_be_in_eu", "European VAT is managed from a member state only."
    EXCEEDED_LIMIT = "exceeded_limit", "There are as many of these as there may be."
    VALUES_ARE_INVALID = "values_are_invalid", "One of two instants is missing, or they are the wrong way round."
    NO_LINKED_PAYMENT_PROVIDER = "no_linked_payment_provider", "The customer has no payment provider."
    INVALID_PAYMENT_PROVIDER = "invalid_payment_provider", "The customer's provider has no payment pages."
    INVALID_INVOICE_STATUS_OR_PAYMENT_STATUS = (
        "invalid_invoice_status_or_payment_status",
        "The invoice is not final, or it is paid.",
    )
    MISSING_PAYMENT_PROVIDER = "missing_payment_provider", "The organization is not connected with the provider."
    MISSING_PAYMENT_PROVIDER_CUSTOMER = (
        "missing_payment_provider_customer",
        "The customer is not linked with a customer of the provider.",
    )
    PAYMENT_PROCESSOR_IS_CURRENTLY_HANDLING_PAYMENT = (
        "payment_processor_is_currently_handling_payment",
        "A payment of the invoice is under way.",
    )
    INVOICES_NOT_OVERDUE = "invoices_not_overdue", "An invoice of a payment request is not overdue."
    NO_PAYMENT_METHODS_TO_SETUP_AVAILABLE = (
        "no_payment_methods_to_setup_available",
        "None of the customer's kinds of payment method can be left on a page.",
    )
    PAYMENT_PROVIDER_CODE_MISSING = (
        "payment_provider_code_missing",
        "The organization has several connections with the provider, and none is named.",
    )
    PAYMENT_PROVIDER_NOT_FOUND = "payment_provider_not_found", "The organization has no such connection."
    PAYMENT_PROVIDER_REFUSED = "payment_provider_refused", "The payment provider refuses it."
    PAYMENT_PROVIDER_NOT_REACHED = (
        "payment_provider_not_reached",
        "The payment provider gave no answer; the same request may succeed later.",
    )
    TOTAL_AMOUNT_EXCEEDS_INVOICE_AMOUNT = (
        "total_amount_exceeds_invoice_amount",
        "More is to be credited or refunded than the void invoice leaves.",
    )
    VALUE_MUST_BE_LATER = "value_must_be_later", "The test clock moves forward only."
    VALUE_MUST_BE_AT_MOST_3653_DAYS_LATER = (
        "value_must_be_at_most_3653_days_later",
        "The test clock moves over ten years at most.",
    )


class Resource(StrEnum):
    """An object of the API."""

    ADD_ON = "add_on"
    API_KEY = "api_key"
    APPLIED_COUPON = "applied_coupon"
    BILLING_ENTITY = "billing_entity"
    BILLABLE_METRIC = "billable_metric"
    BILLABLE_METRICS = "billable_metrics"
    CHARGE = "charge"
    CHARGE_FILTER = "charge_filter"
    COUPON = "coupon"
    CREDIT_NOTE = "credit_note"
    CUSTOMER = "customer"
    EVENT = "event"
    FEE = "fee"
    FEES = "fees"
    FILE = "file"
    FIXED_CHARGE = "fixed_charge"
    INVITE = "invite"
    INVOICE = "invoice"
    MEMBERSHIP = "membership"
    METADATA = "metadata"
    ORGANIZATION = "organization"
    PASSWORD_RESET = "password_reset"
    PAYMENT = "payment"
    PAYMENT_METHOD = "payment_method"
    PAYMENT_PROVIDER = "payment_provider"
    PAYMENT_RECEIPT = "payment_receipt"
    PAYMENT_REQUEST = "payment_request"
    PLAN = "plan"
    PLANS = "plans"
    SUBSCRIPTION = "subscription"
    TAX = "tax"
    USER = "user"
    WALLET = "wallet"
    WALLET_TRANSACTION = "wallet_transaction"
    WEBHOOK = "webhook"
    WEBHOOK_ENDPOINT = "webhook_endpoint"
    WEBHOOK_REPLAY = "webhook_replay"
