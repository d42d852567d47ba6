"""Every number that bounds something, with its reason."""

from datetime import timedelta

# HTTP.
BODY_BYTES_MAX = 2 * 1024 * 1024  # A batch of 100 events of 16 KB fits; more is refused with 413.
PAGE_GZIP_ABOVE_BYTES = 1_000  # Pages of the console are zipped above this size.
GZIP_ABOVE_BYTES = 1_000_000  # Larger answers are zipped for clients that accept it: Lambda takes 6 MB at most.
PAGE_SIZE_DEFAULT = 100  # As the API has it.
PAGE_SIZE_MAX = 1000  # One page stays below DynamoDB's 1 MB and Lambda's 6 MB answers.
CURSOR_KEPT = timedelta(hours=1)  # TTL of pagination cursors.
QUERY_VALUES_MAX = 50  # Values of one parameter: DynamoDB compares with 100 at most, in 4 KB of conditions.
JSON_DEPTH_MAX = 100  # No real event is nested like that; code that walks a body may recurse.
INTEGER_MAX = 10**15  # Cents and counts above this are typing errors; far below DynamoDB's 38 digits.
DECIMAL_DIGITS_MAX = 30  # Prices and rates: 15 digits before and 15 after the point.

# Keys.
ADMIN_KEY_LENGTH_MIN = 16  # Outside the local stack; 16 random letters and digits are 95 bits.
HMAC_KEYS_REMEMBERED = 1_000  # By a process: a key is 64 characters.
KEY_CACHE = timedelta(seconds=30)  # TTL of API keys in a process; a revoked key ends within this.
KEY_LAST_USE_STEP = timedelta(hours=1)  # "Last used" is kept to the hour, so that using a key costs no write.

# Members and their sessions.
PASSWORD_CHARS_MIN, PASSWORD_CHARS_MAX = 12, 128
PASSWORD_SCORE_MIN = 3  # On zxcvbn's scale of 0 to 4: safe from guesses without limit against a slow hash.
ARGON2_KIB, ARGON2_PASSES, ARGON2_LANES = 19 * 1024, 2, 1  # About 70 ms; OWASP's least for argon2id.
EMAIL_CHARS_MAX = 254  # RFC 5321: a path of 256 with its brackets.
SESSION_UNUSED = timedelta(hours=24)  # After its last use, which is kept to the hour.
SESSION_MAX = timedelta(days=14)
SESSION_USE_STEP = timedelta(hours=1)  # Being signed in costs one write an hour.
BROWSER_CHARS_MAX = 200  # The name that a browser gives itself.
LOGIN_FAILURES_PER_EMAIL, LOGIN_FAILURES_PER_ADDRESS = 5, 30  # An office shares one address.
LOGIN_FAILURES_WINDOW = timedelta(minutes=15)
LOGIN_WAIT, LOGIN_WAIT_MAX = timedelta(minutes=1), timedelta(hours=1)  # It doubles with each further failure.
RESET_LINK_KEPT = timedelta(hours=1)
LINK_REPEATED_WITHIN = timedelta(minutes=1)  # A second click on a form whose link was used by the first one.
USED_LINK_KEPT = timedelta(hours=1)  # TTL of links that lead nowhere any more.

# Changes that meet other writers (platform/retry.py).
CHANGE_RETRIED_FOR = timedelta(seconds=20)  # API Gateway ends calls at 29 s; then the change is refused with 409.
CHANGE_PAUSE = timedelta(milliseconds=25)  # The first wait is up to twice as long; it doubles with every lost race.
CHANGE_PAUSE_MAX = timedelta(seconds=2)  # 64 writers of one object pass within seconds: decisions/0021.

# Catalog.
CHARGES_PER_PLAN_MAX = 500  # A plan is one item of at most 400 KB.
METRICS_PER_PLAN_MAX = 40  # The plan enters each metric's list in one transaction, and leaves those it used before.
CHILDREN_READ_AT_ONCE = 25  # Children of a plan, up to ITEM_BYTES_MAX each: one request answers 16 MB at most.
ITEM_BYTES_MAX = 380_000  # DynamoDB's 400 KB less room for keys and index attributes.
METADATA_PAIRS_MAX = 5
WEBHOOK_ENDPOINTS_MAX = 10

# Events.
EVENTS_PER_BATCH_MAX = 100  # The API's limit; the environment may set another.
EVENT_BYTES_MAX = 16 * 1024  # One event; 25 of the largest still fit one message.
EVENT_SENT_BYTES_MAX = 2 * 1024  # Further sent values of an event; beyond, the debugger shows the stored form.
MESSAGE_BYTES_MAX = 250_000  # SQS takes 256 KB.
MESSAGE_HEAD_BYTES_MAX = 1000  # The part of these that is common to all events of a message.
EVENT_ERRORS_MAX = 10_000  # Events that one `events.errors` names; the debugger shows all.
EVENT_ERRORS_SINGLY_MAX = 500  # Of them those that have an `event.error` each. Their tasks fit in one transaction.
EVENT_LOG_KEPT = timedelta(days=30)  # The debugger shows what came lately.
METERING_LOST_SECONDS = (
    10  # A batch goes on so long with an organization whose transactions fail; the rest comes again.
)
METERING_LOST_IN_ALL = 30  # The same for all of them: the meter has 60 s for a batch.
ROW_PARTS_MAX = 16  # Parts of the rows and of the time index of a hot subscription, so that its writers seldom meet.
REGISTERS_KEPT = timedelta(seconds=60)  # Age at most of the meter's list of distinct counters in a transaction.
REGISTER_FILLED_AFTER = timedelta(hours=1)  # By then every transaction that did not know of the counter is in.
REGISTER_FROM_EVENTS = 1000  # Fewer events are recounted at each read: that is cheaper than a distinct counter.
REGISTER_SPEC_BYTES_MAX = 4096  # The meter reads the distinct counters of each subscription.
REGISTER_KEPT = timedelta(days=40)  # After its range's end.
CUT_KEPT_FROM_EVENTS = 200  # In hours with as many, counts of the part at a period's edge are kept.
REBUILT_AFTER = timedelta(
    hours=2
)  # Since an hour's begin: by an hour after its end the time index has caught up with it.
METRICS_KEPT = timedelta(seconds=10)  # TTL of metrics in processes that accept events.
EVENT_RETENTION = timedelta(days=2 * 365)  # Raw events older than this are gone, so duplicates could not be known.
SETTLED_AFTER = EVENT_RETENTION + timedelta(
    days=60
)  # Nothing changes such a day: queues keep what they hold for 28 days.
HOURS_KEPT = EVENT_RETENTION + timedelta(days=365)  # Hour rows of days that were settled.
CUTS_KEPT = timedelta(days=400)  # TTL of counts of parts of hours, which readers can count anew.
ADVANCE_CODES_KEPT = timedelta(
    days=31
)  # Events of subscriptions that have ended may come so late and be charged still.
QUANTITY_DIGITS_BEFORE = 23  # A quantity is below 10^23 ...
QUANTITY_DIGITS_AFTER = (
    15  # ... and brought to 15 decimals: together DynamoDB's 38 digits. Sums are kept in two numbers.
)
UNITS_DIGITS_BEFORE = 15  # Units of fixed charges are below 10^15.

# The agenda.
DUE_SHARDS = 16  # Index partitions of due tasks; the tick reads each once.
ORDERED_SHARDS = (
    4  # Partitions of an organization's ordered tasks: 200 of them a second write and delete 200 units on each.
)
USAGE_GRACE = timedelta(
    minutes=5
)  # Events accepted before an instant may still be queued at it: billing waits so long.
# Events accepted just before an instant that fail once must be counted in that time: these, and the meter's own time-out,
# are held against it by tests/infra/test_nights.py (decisions/0019).
EVENTS_INVISIBLE = timedelta(seconds=150)  # A message whose worker died comes again.
METERING_SECONDS = 30  # No transaction begins later in a batch: a function that is cut off gives back nothing.
MESSAGE_AGAIN_SECONDS, MESSAGE_AGAIN_SECONDS_MAX = 5, 60  # A failed message comes again, later the oftener it failed.
EVENTS_RECEIVED_MAX = 50  # Then a message is a dead letter: three quarters of an hour of throttling pass before.
PROGRESS_SLOT = timedelta(seconds=30)  # A meter notes once in it that it works, and which events are late.
PROGRESS_LATE = timedelta(seconds=30)  # An event that was accepted so long before it is received is late.
PROGRESS_RECEIVED = timedelta(seconds=60)  # A message that can be received is, by meters that work.
PROGRESS_LATE_LISTED = 50  # Organizations of late events in a note; of others it holds the oldest only.
USAGE_HELD_MAX = timedelta(hours=1)  # After its due time a task no longer waits for events that are behind ...
USAGE_HELD_LATE = timedelta(minutes=45)  # ... unless it came up late itself, as after an outage: so long from then on.
USAGE_HELD_WAIT = timedelta(seconds=30)  # Between two looks: a quarter of the time since it was due, but no less ...
USAGE_HELD_WAIT_MAX = timedelta(minutes=5)  # ... and no more.
PUSH_AHEAD = timedelta(minutes=15)  # The longest delay of SQS, and the pause between two ticks.
DUE_PAGE = 1000  # Tasks read at once; about half of DynamoDB's 1 MB.
PUSHED_AT_FIRST = 100  # Per organization and shard; the rest is pushed as that organization's own work ...
PUSHED_PER_LINK = 1000  # ... so many at a time, each time behind those before.
PUSHING_KEPT = timedelta(minutes=30)  # By then that work has gone on, or was lost, and the next tick begins it anew.
PUSH_SECONDS = 60  # One worker's time for a shard; then another one goes on.
WORK_BATCH_SECONDS = 20  # A worker that is busy for longer puts the rest of its batch back, behind that of others.
TASK_ATTEMPTS_MAX = 8  # Then a task is parked and alarmed.
TASK_BACKOFF = timedelta(seconds=10)  # The first wait; it doubles with every attempt.
TASK_BACKOFF_MAX = timedelta(hours=1)
CLOSED_CUSTOMER_AGAIN = timedelta(minutes=1)  # The pause between looks at its end while drafts become final.
BUSY_MAX = timedelta(days=1)  # That AWS is busy counts no attempt for so long.
BUSY_WAIT = timedelta(seconds=10)  # The first wait then; it grows with the time since.
BUSY_WAIT_MAX = timedelta(minutes=5)  # After it, waiting tasks are spread over minutes.
BUSY_RECEIVES_MAX = 4  # A message that finds AWS busy so often goes: the tick finds its task.

# The test clock.
CLOCK_INLINE_SECONDS = (
    20  # A call moves the clock itself for so long (API Gateway ends calls at 29 s), then a job goes on.
)
CLOCK_INLINE_AT_ONCE = 4  # Calls of one process that do so: the others leave it all to the job, and answer at once.
CLOCK_EVENTS_WAIT = timedelta(seconds=60)  # The longest wait for events in flight.
WORKS_KEPT = timedelta(days=14)  # Long acts of members, with what became of each object, and their files.
WORK_FAILURES_SHOWN = 100  # With the work itself one request.
WORK_WAITS = timedelta(seconds=10)  # While the clock of its sandbox moves.
WORK_LOOKS = timedelta(seconds=3)  # Between two looks for documents that are being printed.
WORK_PRINTING = timedelta(minutes=15)  # So long they are waited for.
WORK_DOCUMENTS_MAX = 500  # A worker holds the whole file: some 20 MB.
EXPORT_AT_ONCE = 100  # Rows of a file that one request makes; a longer one is a work.
EXPORT_ROWS_MAX = 100_000  # A worker holds the whole file: about 30 MB.
DRAFTS_PREVIEWED_MAX = 200  # Looked at before a grace period changes: with their customers three requests.
CLOCK_AHEAD_TASKS_MAX, CLOCK_AHEAD_LINES_MAX = 300, 50  # Shown before a leap: four requests, and one screen.
CLOCK_LEAP_MAX = timedelta(days=3653)  # Ten years at once; a weekly plan is billed 522 times on the way.
CLOCK_SLICE_SECONDS, CLOCK_SLICE_TASKS = (
    5,
    100,
)  # The job goes on for so long or so many; then it is another sandbox's turn.
IN_FLIGHT_KEPT = timedelta(hours=1)  # A message that died must not hold the clock up at each later move.

# Issuing: shares of the last transaction's places, which are DynamoDB's own bound, as is its size of 4 MB.
TRANSACTION_PLACES = 100
ISSUE_PLACES = 16  # Invoice, totals, billing state and task, number, messages; a void's with its notes are no more.
COLLECT_PLACES = 3  # A payment with its total and task, where the customer has a provider.
CREDIT_PLACES = 2  # A coupon that ends (also when a void gives it back), or a note with its open balance.
WALLET_PLACES = 3  # Balance, entry and message; and one for all.
UNUSED_NOTE_PLACES, NOTED_INVOICE_PLACES = 3, 5  # A note made with an invoice, and the invoice that it stands on.
SUBSCRIPTIONS_PER_INVOICE_MAX = 40
OUTCOME_PLACES_MAX = 50  # Changed subscriptions, their announcements and tasks, and the items that their ends free.
CREDITED_ITEMS_MAX = 16_000  # Items of all notes on one invoice: under 3 of the 4 MB; the oldest note always fits.
WALLETS_PER_CUSTOMER_MAX = 6  # Active ones; an invoice may take from all.
ONE_OFF_FEES_MAX = 2000  # Per request: its fees are written in batches, before the invoice names them.
APPLIED_COUPON_INVOICES_SHOWN = 100  # The latest credits of one in lists; the invoices have all of them.
PLAN_FIGURES_SPREAD = 4  # Of a page of 20 plans one request reads all parts.
COUNTER_SPREAD = 16  # One counter in every transaction would make them all conflict.

# Wallets.
WALLET_LOTS_MAX = 1_000  # Top-ups with a rest, which stand in the wallet's own item of 400 KB.
WALLET_TRANSACTION_PAIRS_MAX = 15
WALLET_RULE_REST = timedelta(
    hours=24
)  # After a failed automatic purchase: a declined card is not charged at every event.
WALLET_WATCH_WINDOW = timedelta(minutes=2)  # Effects of an ongoing balance happen within five minutes.
WALLET_WATCH_LAG = timedelta(
    seconds=15
)  # Clocks of workers differ: the look at a window's usage waits for its last events.
WALLET_WATCH_KEPT = timedelta(minutes=1)  # So long a worker remembers which subscriptions are watched.

# Webhooks.
WEBHOOK_ATTEMPTS_MAX = 17  # Over about three days; then failed, and kept.
WEBHOOK_TIMEOUT_SECONDS = 30  # One attempt from the name's look-up to the answer's last byte, however slowly it comes.
WEBHOOK_AFTER_STATUS_SECONDS = 5  # Within it, for the rest of an answer whose status has decided already.
WEBHOOK_HEAD_BYTES = 65_536  # Of an answer, its interim ones included.
WEBHOOK_RETRY_AFTER_MAX = timedelta(hours=1)  # An endpoint that asks for a longer wait gets this one.
WEBHOOK_PORTS = frozenset({80, 443, 8080, 8443})  # Others by the setting WEBHOOK_PORTS.
WEBHOOK_SECRET_BYTES = 24  # 192 bits, and base64 without padding.
WEBHOOK_SECRET_OVERLAP = timedelta(hours=24)  # So long the secret before the last rotation signs too.
WEBHOOK_SECRETS_REMEMBERED = 2_000  # By a process: a secret is 40 characters.
WEBHOOK_JWT_HEADER_BYTES_MAX = 8190  # Of a header's line, as common servers take it.
WEBHOOK_RESPONSE_BYTES = 4096  # Bytes of an answer's body for the log; the rest is not read.
WEBHOOK_URL_CHARS_MAX = 2048
WEBHOOK_LOG_KEPT = timedelta(days=90)
WEBHOOK_PAYLOAD_KEPT = timedelta(days=91)  # From the announcement on: longer than any message that is made of it.
WEBHOOK_PAYLOAD_BYTES_MAX = 300_000  # Compressed. Larger payloads lie in S3: no item holds them.
WEBHOOK_RETRY_AFTER_MAX = timedelta(hours=1)
WEBHOOK_BLOCK = 128  # Messages of one endpoint that share a key: together they never write 500 units a second.
WEBHOOK_ACTIONS_MAX = 100  # DynamoDB's most in one transaction.
WEBHOOK_NUMBERING_SECONDS = 20  # So long one worker numbers an organization's messages before others get a turn.
WEBHOOK_NUMBERING_LEASE = timedelta(seconds=45)
WEBHOOK_LANE_SECONDS = 20  # So long a lane begins new attempts, each of which may take 30 s more.
WEBHOOK_LANE_LEASE = timedelta(seconds=55)  # An attempt's deadline and what is written before and after it.
WEBHOOK_LANE_LOOKS = timedelta(seconds=5)  # Between looks for a worker that died, while a lane is busy.
WEBHOOK_LANE_WIDTH_MAX = 16  # Attempts of one endpoint at the same time.
WEBHOOK_LANE_WAITING = 50  # For each so many messages that wait one attempt more at the same time.
WEBHOOK_RETRIES_READ = 200  # Planned attempts that one look at a lane reads.
WEBHOOK_PAGE_MAX = 1_000  # Messages of one pull.
WEBHOOK_PULL_BYTES_MAX = 4_000_000  # Payloads of one pull: an answer of Lambda has 6 MB at most.
WEBHOOK_BLOCKS_READ = 80  # Blocks of the log that one page of it reads, where few messages fit its filters.
WEBHOOK_ATTEMPTS_SHOWN = 100

# Payment providers.
PROVIDER_CONNECT_SECONDS, PROVIDER_READ_SECONDS = 3, 20  # Of one call, which is made once.
PROVIDER_LISTED_MAX = 10_000  # Objects of one list; nobody has as many payments since a call that got no answer.
PROVIDER_SECRET_OVERLAP = timedelta(hours=24)  # So long events signed with the secret before a rotation are taken.
PROVIDER_SECRETS_REMEMBERED = 2_000  # By a process.
PROVIDER_AGAIN, PROVIDER_AGAIN_MAX = timedelta(minutes=1), timedelta(hours=12)  # As long as it has waited already.
PROVIDER_MENDED_LOOK = timedelta(
    minutes=10
)  # At the most between two looks whether a connection's secret is good again.
PROVIDER_EVENTS_AT_ONCE = 25  # Each an item and a task, in one transaction.
PROVIDER_EVENT_KEPT = timedelta(days=90)  # Providers send an event again for some days.
PAYMENT_WAITS = tuple(
    timedelta(minutes=each) for each in (1, 5, 30, 120, 360, 720, 1440)
)  # Before a payment of which nobody knows is tried again; the last one for ever.
PAYMENT_LEASE = timedelta(seconds=50)  # Longer than the calls of one charge: of two workers one makes them.
PAYMENT_REPLAYED = timedelta(hours=1)  # A failure that a provider keeps is final so long after the last call.
PAYMENT_ANNOUNCED = timedelta(days=35)  # Providers try a failed debit again within a month.
PAYMENT_CONFIRMED = timedelta(hours=23)  # So long a customer may take to confirm a payment, before it is cancelled.
PAYMENT_GIVEN_UP = timedelta(days=7)  # After these nobody answers for a payment of a connection that is gone.
PAYMENT_ASKED = timedelta(days=1)  # Between two questions what became of a payment: an event may be lost.
PAYMENT_ASKED_DEBIT = timedelta(days=5)  # After the day of a debit.
REQUESTED_INVOICES_MAX = 10  # Each with its totals and messages, in one transaction.
PAYMENT_PAGE_OPEN = timedelta(hours=23)  # Providers close pages after a day.
PROVIDER_MESSAGE_CHARS = 500  # Of a provider's error, which stands on payments and in messages.

# Files.
LINK_SECONDS = 15 * 60
LOGO_BYTES_MAX = 800 * 1024
LOGO_PIXELS_MAX = 4_000_000  # A few kilobytes can unfold to gigabytes; this is 16 MB while a document is drawn.
