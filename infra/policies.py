"""Policies of the functions: each allows its part of the work and no more."""

from typing import Any

_READ_TABLE = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"]
_WRITE_TABLE = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"]
_CONDITION = ["dynamodb:ConditionCheckItem"]


def document(function: str) -> dict[str, Any]:
    """The policy of a function by its logical name."""
    statements = [_allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], [_arn("logs", "*")])]
    statements += _OWN[function]()
    return {"Version": "2012-10-17", "Statement": statements}


def _api() -> list[dict[str, Any]]:
    return [
        _table("CoreTable", *_READ_TABLE, *_WRITE_TABLE, *_CONDITION),
        # Reading usage compacts closed days, and the API marks a sandbox's messages in flight.
        _table("UsageTable", *_READ_TABLE, *_WRITE_TABLE),
        _send(
            "EventsQueue",
            "JobsQueue",
            "SandboxQueue",
            "DocumentsQueue",
            "AskedQueue",
            "WebhooksQueue",
            "ProvidersQueue",
        ),
        _files("s3:GetObject", "s3:PutObject"),
        _list_files(),
        _key("kms:Encrypt", "kms:Decrypt"),
    ]


def _meter() -> list[dict[str, Any]]:
    return [
        _table("UsageTable", *_READ_TABLE, *_WRITE_TABLE),
        # Which codes are paid in advance, and the tasks that charge their events; metrics, to tell what they cannot use.
        _table("CoreTable", "dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:PutItem"),
        _consume("EventsQueue"),
        _send("JobsQueue", "SandboxQueue"),
    ]


def _worker(queue: str = "JobsQueue") -> list[dict[str, Any]]:
    return [
        _table("CoreTable", *_READ_TABLE, *_WRITE_TABLE, *_CONDITION),
        _table("UsageTable", *_READ_TABLE, *_WRITE_TABLE),
        _consume(queue),
        _send("JobsQueue", "SandboxQueue", "DocumentsQueue", "WebhooksQueue", "ProvidersQueue"),
        # Billing waits for events that are not metered yet.
        _look("EventsQueue"),
        _files("s3:GetObject", "s3:PutObject"),
    ]


def _call_providers() -> list[dict[str, Any]]:
    return [
        _table("CoreTable", *_READ_TABLE, *_WRITE_TABLE, *_CONDITION),
        _consume("ProvidersQueue"),
        _send("JobsQueue", "SandboxQueue", "WebhooksQueue", "ProvidersQueue"),
        _files("s3:PutObject"),
        # Secrets of payment providers, which only the API seals.
        _key("kms:Decrypt"),
    ]


def _sandbox_worker() -> list[dict[str, Any]]:
    return _worker("SandboxQueue")


def _print(queue: str = "DocumentsQueue") -> list[dict[str, Any]]:
    return [
        _table("CoreTable", *_READ_TABLE, *_WRITE_TABLE),
        _consume(queue),
        _send("JobsQueue", "SandboxQueue", "DocumentsQueue"),
        _files("s3:GetObject", "s3:PutObject"),
    ]


def _print_asked() -> list[dict[str, Any]]:
    return _print("AskedQueue")


def _deliver() -> list[dict[str, Any]]:
    return [
        _table("CoreTable", *_READ_TABLE, *_WRITE_TABLE),
        _consume("WebhooksQueue"),
        _send("WebhooksQueue"),
        _files("s3:GetObject"),
        _key("kms:Encrypt", "kms:Decrypt"),
    ]


def _tick() -> list[dict[str, Any]]:
    return [_table("CoreTable", "dynamodb:Query"), _send("JobsQueue")]


_OWN = {
    "APIHandler": _api,
    "Meter": _meter,
    "Worker": _worker,
    "SandboxWorker": _sandbox_worker,
    "PrintDocuments": _print,
    "PrintAsked": _print_asked,
    "Deliver": _deliver,
    "CallProviders": _call_providers,
    "Tick": _tick,
}


def _allow(actions: list[str], resources: list[Any]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def _table(name: str, *actions: str) -> dict[str, Any]:
    arn = {"Fn::GetAtt": [name, "Arn"]}
    return _allow(sorted(actions), [arn, {"Fn::Join": ["/", [arn, "index", "*"]]}])


def _send(*queues: str) -> dict[str, Any]:
    actions = ["sqs:GetQueueUrl", "sqs:SendMessage", "sqs:GetQueueAttributes"]
    return _allow(actions, [{"Fn::GetAtt": [queue, "Arn"]} for queue in queues])


def _look(queue: str) -> dict[str, Any]:
    return _allow(["sqs:GetQueueUrl", "sqs:GetQueueAttributes"], [{"Fn::GetAtt": [queue, "Arn"]}])


def _consume(queue: str) -> dict[str, Any]:
    # Failed messages get their next visibility by the queue's name, so its address is looked up.
    actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    actions += ["sqs:ChangeMessageVisibility", "sqs:GetQueueUrl"]
    return _allow(actions, [{"Fn::GetAtt": [queue, "Arn"]}])


def _files(*actions: str) -> dict[str, Any]:
    return _allow(list(actions), [{"Fn::Join": ["/", [{"Fn::GetAtt": ["FilesBucket", "Arn"]}, "*"]]}])


def _list_files() -> dict[str, Any]:
    # Without it S3 answers 403 where an object is missing.
    return _allow(["s3:ListBucket"], [{"Fn::GetAtt": ["FilesBucket", "Arn"]}])


def _key(*actions: str) -> dict[str, Any]:
    return _allow(list(actions), [{"Fn::GetAtt": ["SigningKey", "Arn"]}])


def _arn(service: str, rest: str) -> dict[str, str]:
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{rest}"}
