"""Every number that bounds something, with its reason."""

from datetime import timedelta

# HTTP.
BODY_BYTES_MAX = 2 * 1024 * 1024  # A batch of 100 events of 16 KB fits; more is refused with 413.
GZIP_ABOVE_BYTES = 1_000_000  # Larger answers are zipped for who accepts it: Lambda takes 6 MB at most.
PAGE_SIZE_DEFAULT = 100  # As the API has it.
PAGE_SIZE_MAX = 1000  # One page stays below DynamoDB's 1 MB and Lambda's 6 MB answers.
CURSOR_KEPT = timedelta(hours=1)  # How long walking a list page by page costs the same per page.
INTEGER_MAX = 10**15  # Cents and counts above this are typing errors; far below DynamoDB's 38 digits.
DECIMAL_DIGITS_MAX = 30  # Prices and rates: 15 digits before and 15 after the point.

# Keys.
KEY_CACHE = timedelta(seconds=30)  # How long a process trusts an API key it has read; a revoked key ends within this.
KEY_LAST_USE_STEP = timedelta(hours=1)  # "Last used" is kept to the hour, so that using a key costs no write.

# Catalog.
CHARGES_PER_PLAN_MAX = 500  # A plan is one item of at most 400 KB.
METRICS_PER_PLAN_MAX = 40  # The plan enters each metric's list in one transaction, and leaves those it used before.
CHILDREN_READ_AT_ONCE = 25  # Children of a plan, up to ITEM_BYTES_MAX each: one request answers 16 MB at most.
ITEM_BYTES_MAX = 380_000  # DynamoDB's 400 KB less room for keys and index attributes.
METADATA_PAIRS_MAX = 5
WEBHOOK_ENDPOINTS_MAX = 10

# Events.
EVENTS_PER_BATCH_MAX = 100  # As the API has it, where the environment says nothing else.
EVENT_BYTES_MAX = 16 * 1024  # One event; 25 of the largest still fit one message.
EVENT_SENT_BYTES_MAX = 2 * 1024  # What else a request said of an event; beyond, the debugger shows what was stored.
MESSAGE_BYTES_MAX = 250_000  # SQS takes 256 KB.
MESSAGE_HEAD_BYTES_MAX = 1000  # Of these, what is said once for all events of a message.
EVENT_ERRORS_MAX = 10_000  # Events that one `events.errors` names; the debugger shows all.
EVENT_LOG_KEPT = timedelta(days=30)  # The debugger shows what came lately.
METERING_LOST_SECONDS = (
    10  # A batch goes on so long with an organization whose transactions fail; the rest comes again.
)
METERING_LOST_IN_ALL = 30  # The same for all of them: the meter has 60 s for a batch.
ROW_PARTS_MAX = 16  # Parts of the rows and of the time index of a hot subscription, so that its writers seldom meet.
REGISTERS_KEPT = timedelta(seconds=60)  # No transaction of the meter is signed with older knowledge of registers.
REGISTER_FILLED_AFTER = timedelta(hours=1)  # By then every such transaction of before a register was opened is in.
REGISTER_FROM_EVENTS = 1000  # Fewer events are recounted at each read: that is cheaper than keeping a register.
REGISTER_SPEC_BYTES_MAX = 4096  # The meter reads the registers of each subscription that it counts for.
REGISTER_KEPT = timedelta(days=40)  # After its range's end.
CUT_KEPT_FROM_EVENTS = 200  # Of hours with as many, what the part before or after a period's edge comes to is kept.
REBUILT_AFTER = timedelta(
    hours=2
)  # Since an hour's begin: by an hour after its end the time index has caught up with it.
METRICS_KEPT = timedelta(seconds=10)  # How long a process that takes events in trusts what it has read of metrics.
EVENT_RETENTION = timedelta(days=2 * 365)  # Raw events older than this are gone, so duplicates could not be known.
SETTLED_AFTER = EVENT_RETENTION + timedelta(
    days=60
)  # Nothing changes such a day: queues keep what they hold for 28 days.
HOURS_KEPT = EVENT_RETENTION + timedelta(days=365)  # Hour rows of days that were settled.
CUTS_KEPT = timedelta(days=400)  # What readers keep of parts of hours, which they can count anew.
ADVANCE_CODES_KEPT = timedelta(
    days=31
)  # Events of subscriptions that have ended may come so late and be charged still.
QUANTITY_DIGITS_BEFORE = 15  # A quantity is below 10^15 ...
QUANTITY_DIGITS_AFTER = 15  # ... and brought to 15 decimals, so that no sum needs more than DynamoDB's 38 digits.

# The agenda.
DUE_SHARDS = 16  # Index partitions of due tasks; the tick reads each once.
USAGE_GRACE = timedelta(
    minutes=5
)  # Events accepted before an instant may still be queued at it: billing waits so long.
PUSH_AHEAD = timedelta(minutes=15)  # What SQS can delay, and the pause between two ticks.
TASK_ATTEMPTS_MAX = 8  # Then a task is parked and alarmed.
TASK_BACKOFF = timedelta(seconds=10)  # The first wait; it doubles with every attempt.
TASK_BACKOFF_MAX = timedelta(hours=1)

# The test clock.
CLOCK_INLINE_SECONDS = (
    20  # A call moves the clock itself for so long (API Gateway ends calls at 29 s), then a job goes on.
)
CLOCK_EVENTS_WAIT_SECONDS = 60  # How long it waits for events in flight.
IN_FLIGHT_KEPT = timedelta(hours=1)  # A message that died must not hold the clock up at each later move.

# Issuing: shares of the last transaction's 100 places.
SUBSCRIPTIONS_PER_INVOICE_MAX = 40
OUTCOME_PLACES_MAX = 50  # Changed subscriptions, what is told of them and what their ends free.
COUPONS_PER_INVOICE_MAX = 15
WALLETS_PER_INVOICE_MAX = 10
CREDIT_NOTES_PER_INVOICE_MAX = 15
FEES_PER_INVOICE_MAX = 5_000
COUNTER_SPREAD = 16  # One counter in every transaction would make them all conflict.

# Webhooks.
WEBHOOK_ATTEMPTS_MAX = 17  # Over about three days; then failed, kept, and sent again by hand.
WEBHOOK_TIMEOUT_SECONDS = 30
WEBHOOK_LOG_KEPT = timedelta(days=90)
WEBHOOK_PAYLOAD_INLINE_BYTES = 200_000  # Larger payloads lie in S3: neither a message nor an item holds them.

# Files.
LINK_SECONDS = 15 * 60
