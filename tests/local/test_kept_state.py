"""What the emulator answered is there again after it was killed, at whatever instant."""

import json
import random
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.local.emulator import CREDENTIALS, Emulator, NotUp, free_port

_ACCOUNT = {"aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": "local"}
_SECOND_KEYS = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]


class Machine:
    """An emulator over a folder, which can be killed and started anew."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._port = folder, free_port()
        self.start()

    def start(self) -> None:
        """Start it; clients of before go on."""
        self.emulator = Emulator(self._port, self.folder / "emulator", self.folder / "log")
        self.emulator.wait_until_up()

    def kill(self) -> None:
        """End it at once, as a machine that is switched off does."""
        self.emulator._process.send_signal(signal.SIGKILL)
        self.emulator._process.wait()

    def again(self) -> None:
        """Kill it and start it."""
        self.kill()
        self.start()

    def client(self, service: str) -> Any:
        """A client that does not try again."""
        config = Config(retries={"total_max_attempts": 1}, read_timeout=20, s3={"addressing_style": "path"})
        return boto3.session.Session().client(
            service, endpoint_url=self.emulator.url, region_name="us-east-1", config=config, **_ACCOUNT
        )


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path)
    yield made
    made.emulator.stop()


def _table(dynamodb: Any, name: str = "items", keys: Any = _SECOND_KEYS) -> None:
    attributes = [{"AttributeName": key["AttributeName"], "AttributeType": "S"} for key in keys]
    dynamodb.create_table(
        TableName=name, KeySchema=keys, AttributeDefinitions=attributes, BillingMode="PAY_PER_REQUEST"
    )


def _item(pk: str, sk: str, **more: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}, **{name: {"S": value} for name, value in more.items()}}


def _all(dynamodb: Any, table: str = "items") -> dict[tuple[str, str], dict[str, Any]]:
    found = dynamodb.scan(TableName=table)["Items"]
    return {(item["pk"]["S"], item["sk"]["S"]): item for item in found}


def test_items_are_as_they_were_whatever_operation_changed_them(machine):
    dynamodb = machine.client("dynamodb")
    _table(dynamodb)
    dynamodb.update_time_to_live(
        TableName="items", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    for n in range(6):
        dynamodb.put_item(TableName="items", Item=_item("a", str(n), v="old"))
    dynamodb.put_item(TableName="items", Item=_item("a", "0", v="new"))
    dynamodb.delete_item(TableName="items", Key=_item("a", "1"))
    dynamodb.update_item(
        TableName="items",
        Key=_item("a", "2"),
        UpdateExpression="SET v = :v",
        ExpressionAttributeValues={":v": {"S": "up"}},
    )
    dynamodb.batch_write_item(
        RequestItems={"items": [{"PutRequest": {"Item": _item("b", "0")}}, {"DeleteRequest": {"Key": _item("a", "3")}}]}
    )
    dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": "items", "Item": _item("c", "🙂" * 200, b="\ud83d\ude42")}},
            {"Delete": {"TableName": "items", "Key": _item("a", "4")}},
            {
                "Update": {
                    "TableName": "items",
                    "Key": _item("d", "0"),
                    "UpdateExpression": "ADD n :n",
                    "ExpressionAttributeValues": {":n": {"N": "12345678901234567890.123456789012345678"}},
                }
            },
        ]
    )
    before = _all(dynamodb)
    assert {key: item.get("v", {}).get("S") for key, item in before.items() if key[0] == "a"} == {
        ("a", "0"): "new",
        ("a", "2"): "up",
        ("a", "5"): "old",
    }
    for _ in range(2):  # What was read from the file is kept as what was written in this life.
        machine.again()
        assert _all(dynamodb) == before
        dynamodb.put_item(TableName="items", Item=_item("later", "0"))
        dynamodb.delete_item(TableName="items", Key=_item("b", "0"))
        before = _all(dynamodb)
    described = dynamodb.describe_time_to_live(TableName="items")["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}


def test_a_table_that_was_deleted_leaves_nothing_to_one_of_its_name(machine):
    dynamodb = machine.client("dynamodb")
    for _ in range(2):
        _table(dynamodb)
        dynamodb.put_item(TableName="items", Item=_item("a", "0"))
        dynamodb.delete_table(TableName="items")
    _table(dynamodb)
    dynamodb.put_item(TableName="items", Item=_item("b", "0"))
    machine.again()
    assert list(_all(dynamodb)) == [("b", "0")]


def test_messages_are_there_again_those_in_flight_at_once(machine):
    sqs = machine.client("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    attributes = {"VisibilityTimeout": "600", "RedrivePolicy": policy}
    url = sqs.create_queue(QueueName="q", Attributes=attributes)["QueueUrl"]
    entries = [{"Id": str(n), "MessageBody": f"m{n}"} for n in range(1, 4)]
    sqs.send_message(QueueUrl=url, MessageBody="m0")
    sqs.send_message_batch(QueueUrl=url, Entries=entries)
    sqs.send_message(QueueUrl=url, MessageBody="delayed", DelaySeconds=900)
    (first,) = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    (taken,) = sqs.receive_message(QueueUrl=url)["Messages"]
    machine.again()
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])["Messages"]
    counts = {message["Body"]: message["Attributes"]["ApproximateReceiveCount"] for message in found}
    assert counts == {taken["Body"]: "2", "m2": "1", "m3": "1"}
    machine.again()  # Received as often as the queue allows: it goes where dead letters go, and is there after the next kill.
    assert {m["Body"] for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]} == {"m2", "m3"}
    machine.again()
    assert {m["Body"] for m in sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10)["Messages"]} == {
        taken["Body"]
    }
    names = ["ApproximateNumberOfMessagesDelayed", "VisibilityTimeout", "RedrivePolicy"]
    now = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    assert now == {"ApproximateNumberOfMessagesDelayed": "1", "VisibilityTimeout": "600", "RedrivePolicy": policy}
    sqs.purge_queue(QueueUrl=url)
    sqs.delete_queue(QueueUrl=dead)
    machine.again()
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    assert sqs.list_queues()["QueueUrls"] == [url]


def test_files_and_keys_are_there_again(machine):
    s3, kms = machine.client("s3"), machine.client("kms")
    s3.create_bucket(Bucket="bucket")
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    content = bytes(range(256)) * 1000
    s3.put_object(Bucket="bucket", Key="o/one.pdf", Body=b"older", ContentType="text/plain")
    s3.put_object(Bucket="bucket", Key="o/one.pdf", Body=content, ContentType="application/pdf")
    s3.put_object(Bucket="bucket", Key="gone", Body=b"x")
    s3.delete_object(Bucket="bucket", Key="gone")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/k", TargetKeyId=key)
    context = {"organization": "o"}
    secret = kms.encrypt(KeyId="alias/k", Plaintext=b"secret", EncryptionContext=context)["CiphertextBlob"]
    for _ in range(2):
        machine.again()
        found = s3.get_object(Bucket="bucket", Key="o/one.pdf")
        assert (found["Body"].read(), found["ContentType"]) == (content, "application/pdf")
        assert [o["Key"] for o in s3.list_objects_v2(Bucket="bucket")["Contents"]] == ["o/one.pdf"]
        assert s3.get_bucket_versioning(Bucket="bucket")["Status"] == "Enabled"
        assert kms.decrypt(CiphertextBlob=secret, EncryptionContext=context)["Plaintext"] == b"secret"


class Writers:
    """Threads that write until the machine is killed, and know what was answered."""

    def __init__(self, machine: Machine, life: int) -> None:
        self._machine, self._life, self._killed = machine, life, threading.Event()
        self.items: set[tuple[str, str]] = set()
        self.together: list[list[tuple[str, str]]] = []
        self.messages: set[str] = set()
        self.files: dict[str, bytes] = {}
        self._clients = {name: machine.client(name) for name in ("dynamodb", "sqs", "s3")}
        works = (self._put, self._transact, self._transact, self._send, self._store)
        self._threads = [threading.Thread(target=self._until_killed, args=(n, work)) for n, work in enumerate(works)]
        for thread in self._threads:
            thread.start()

    def _until_killed(self, worker: int, work: Any) -> None:
        number = 0
        while not self._killed.is_set():
            number += 1
            try:
                work(self._clients, f"{self._life}-{worker}-{number}")
            except (BotoCoreError, ClientError):
                return

    def _put(self, clients: dict[str, Any], name: str) -> None:
        clients["dynamodb"].put_item(TableName="items", Item=_item(name, "0", v="x" * 300))
        self.items.add((name, "0"))

    def _transact(self, clients: dict[str, Any], name: str) -> None:
        keys = [(f"{name}-{n}", "0") for n in range(30)]
        self.together.append(keys)
        clients["dynamodb"].transact_write_items(
            TransactItems=[{"Put": {"TableName": "items", "Item": _item(*key, v="y" * 300)}} for key in keys]
        )
        self.items.update(keys)

    def _send(self, clients: dict[str, Any], name: str) -> None:
        clients["sqs"].send_message(QueueUrl=f"{self._machine.emulator.url}/000000000000/q", MessageBody=name)
        self.messages.add(name)

    def _store(self, clients: dict[str, Any], name: str) -> None:
        content = name.encode() * 2000
        clients["s3"].put_object(Bucket="bucket", Key="same", Body=content)
        clients["s3"].put_object(Bucket="bucket", Key=name, Body=content)
        self.files[name] = content

    def die_with(self, machine: Machine) -> None:
        """Kill the machine under their hands."""
        machine.kill()
        self._killed.set()
        for thread in self._threads:
            thread.join(30)


def test_nothing_that_was_answered_is_lost_at_whatever_instant_the_machine_is_killed(machine):
    chance = random.Random(4)
    dynamodb, sqs, s3 = (machine.client(name) for name in ("dynamodb", "sqs", "s3"))
    _table(dynamodb)
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    s3.create_bucket(Bucket="bucket")
    items, together, messages, files = set(), [], set(), {}
    for life in range(5):
        writers = Writers(machine, life)
        time.sleep(0.2 + chance.random())
        writers.die_with(machine)
        machine.start()
        items |= writers.items
        together += writers.together
        messages |= writers.messages
        files |= writers.files
        found = set(_all(dynamodb))
        assert items <= found
        assert all(len(found.intersection(keys)) in (0, len(keys)) for keys in together)
        for name in list(writers.files)[-3:]:
            assert s3.get_object(Bucket="bucket", Key=name)["Body"].read() == files[name]
        body = s3.get_object(Bucket="bucket", Key="same")["Body"].read()
        assert body == body[: len(body) // 2000] * 2000
    seen = set()
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        seen |= {message["Body"] for message in batch}
    assert messages <= seen
    assert len(items) > 500
    assert len(messages) > 50


def test_a_file_that_cannot_be_read_is_named_and_left_as_it_is(machine):
    dynamodb = machine.client("dynamodb")
    _table(dynamodb)
    for n in range(300):
        dynamodb.put_item(TableName="items", Item=_item(str(n), "0", v="x" * 500))
    machine.emulator.stop()
    place = machine.folder / "emulator" / "state.db"
    broken = bytearray(place.read_bytes())
    broken[20_000:60_000] = bytes(40_000)
    place.write_bytes(broken)
    with pytest.raises(NotUp, match=r"state.db cannot be read.*make reset"):
        machine.start()
    assert place.read_bytes() == broken


def test_two_emulators_share_no_folder(machine):
    other = Emulator(free_port(), machine.folder / "emulator", machine.folder / "other.log")
    with pytest.raises(NotUp, match=f"Process {machine.emulator.process_id} uses the folder already"):
        other.wait_until_up()
    other.stop()


def test_what_an_earlier_version_saved_is_taken_over_once(machine):
    place = machine.folder / "emulator"
    machine.emulator.stop()
    shutil.copytree(Path(__file__).parent / "saved_by_an_earlier_version", place, dirs_exist_ok=True)
    (place / "state.db").unlink()
    machine.start()
    dynamodb, sqs, s3, kms = (machine.client(name) for name in ("dynamodb", "sqs", "s3", "kms"))
    for _ in range(2):
        assert _all(dynamodb) == {("a", "0"): _item("a", "0", v="saved")}
        url = sqs.list_queues()["QueueUrls"][0]
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)["Messages"]
        assert [message["Body"] for message in found] == ["saved"]
        assert s3.get_object(Bucket="bucket", Key="o/one.txt")["Body"].read() == b"saved"
        secret = (Path(__file__).parent / "saved_by_an_earlier_version" / "secret").read_bytes()
        assert kms.decrypt(CiphertextBlob=secret)["Plaintext"] == b"saved"
        machine.again()
    assert (place / "state-of-an-earlier-version").is_dir()
