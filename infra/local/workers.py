"""Queue workers of the local stack: what Lambda's event sources do, in threads."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

Handler = Callable[[dict[str, Any], Any], Any]

_log = logging.getLogger("tollgate.local")


class QueueWorker(threading.Thread):
    """Polls one queue and hands batches to a handler; deletes what was done, leaves the rest to be delivered again."""

    def __init__(self, sqs: Any, url: str, arn: str, handler: Handler, stop: threading.Event) -> None:
        super().__init__(name=arn.rpartition(":")[2], daemon=True)
        self._sqs, self._url, self._arn, self._handler, self._stopping = sqs, url, arn, handler, stop

    def run(self) -> None:
        """Until told to stop."""
        while not self._stopping.is_set():
            try:
                self._once()
            except (BotoCoreError, ClientError, OSError) as error:
                if not self._stopping.is_set():
                    _log.warning("%s: %s", self.name, error)
                    self._stopping.wait(1)

    def _once(self) -> None:
        answer = self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=1, AttributeNames=["All"]
        )
        messages = answer.get("Messages", [])
        if not messages:
            return
        try:
            result = self._handler({"Records": [self._record(message) for message in messages]}, None) or {}
        except Exception:  # noqa: BLE001  A handler that fails leaves all its messages to be delivered again, as on Lambda.
            _log.exception("%s failed", self.name)
            return
        failed = {failure["itemIdentifier"] for failure in result.get("batchItemFailures", [])}
        done = [message for message in messages if message["MessageId"] not in failed]
        if done:
            entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(done)]
            self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)

    def _record(self, message: dict[str, Any]) -> dict[str, Any]:
        """A message in the form in which Lambda gets it."""
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {},
            "md5OfBody": message.get("MD5OfBody", ""),
            "eventSource": "aws:sqs",
            "eventSourceARN": self._arn,
            "awsRegion": "us-east-1",
        }


class Ticker(threading.Thread):
    """Calls the tick every quarter-hour, and once at the start."""

    def __init__(self, tick: Callable[[], None], stop: threading.Event, seconds: float = 900) -> None:
        super().__init__(name="tick", daemon=True)
        self._tick, self._stopping, self._seconds = tick, stop, seconds

    def run(self) -> None:
        """Until told to stop."""
        while not self._stopping.is_set():
            try:
                self._tick()
            except (BotoCoreError, ClientError, OSError) as error:
                _log.warning("tick: %s", error)
            self._stopping.wait(self._seconds)
