"""Create what is missing of `infra/resources.json` on any endpoint: one source of truth for AWS, the local stack and tests.

Nothing is ever destroyed: existing tables keep their items, and only gain indexes; queues get their attributes set again.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).parents[1] / "resources.json"


def resources(stage: str) -> dict[str, dict[str, Any]]:
    """The resources of the template with the stage filled in: logical name -> {Type, Properties}."""
    template = json.loads(TEMPLATE.read_text())
    return {name: _filled(resource, stage) for name, resource in template["Resources"].items()}


def tables(dynamodb: Any, stage: str) -> None:
    """Create missing tables and indexes, and switch on expiry."""
    existing = set(dynamodb.list_tables()["TableNames"])
    for _, properties in _of_type(stage, "AWS::DynamoDB::Table"):
        name = properties["TableName"]
        if name in existing:
            _add_missing_indexes(dynamodb, properties)
        else:
            dynamodb.create_table(**{key: properties[key] for key in _TABLE_KEYS})
            dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        _switch_on_expiry(dynamodb, name, properties["TimeToLiveSpecification"])


def queues(sqs: Any, stage: str) -> None:
    """Create missing queues, dead-letter queues first, and set their attributes."""
    arns: dict[str, str] = {}
    for logical, properties in sorted(_of_type(stage, "AWS::SQS::Queue"), key=lambda pair: "Dead" not in pair[0]):
        url = sqs.create_queue(QueueName=properties["QueueName"])["QueueUrl"]
        attributes = {
            name: str(properties[name])
            for name in ("VisibilityTimeout", "MessageRetentionPeriod")
            if name in properties
        }
        if "RedrivePolicy" in properties:
            dead = properties["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
            policy = {**properties["RedrivePolicy"], "deadLetterTargetArn": arns[dead]}
            attributes["RedrivePolicy"] = json.dumps(policy)
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
        arns[logical] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def files(s3: Any, stage: str, bucket: str) -> None:
    """Create the bucket, private and versioned."""
    if bucket not in {found["Name"] for found in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=bucket)
    for _, properties in _of_type(stage, "AWS::S3::Bucket"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=properties["VersioningConfiguration"])
        s3.put_public_access_block(
            Bucket=bucket, PublicAccessBlockConfiguration=properties["PublicAccessBlockConfiguration"]
        )


def key(kms: Any, stage: str) -> None:
    """Create the key and its alias."""
    for _, properties in _of_type(stage, "AWS::KMS::Alias"):
        aliases = {alias["AliasName"] for alias in kms.list_aliases()["Aliases"]}
        if properties["AliasName"] not in aliases:
            made = kms.create_key(Description="Tollgate")["KeyMetadata"]["KeyId"]
            kms.create_alias(AliasName=properties["AliasName"], TargetKeyId=made)


_TABLE_KEYS = ("TableName", "BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


def _add_missing_indexes(dynamodb: Any, properties: Mapping[str, Any]) -> None:
    described = dynamodb.describe_table(TableName=properties["TableName"])["Table"]
    known = {index["IndexName"] for index in described.get("GlobalSecondaryIndexes", [])}
    for index in properties["GlobalSecondaryIndexes"]:
        if index["IndexName"] not in known:
            dynamodb.update_table(
                TableName=properties["TableName"],
                AttributeDefinitions=properties["AttributeDefinitions"],
                GlobalSecondaryIndexUpdates=[{"Create": index}],
            )


def _switch_on_expiry(dynamodb: Any, name: str, wanted: Mapping[str, Any]) -> None:
    described = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if described.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=dict(wanted))


def _of_type(stage: str, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, resource in resources(stage).items():
        if resource["Type"] == kind:
            yield name, resource["Properties"]


def _filled(value: Any, stage: str) -> Any:
    """The template's value with `Fn::Sub` of the stage carried out; other functions stay."""
    if isinstance(value, dict):
        if set(value) == {"Fn::Sub"}:
            return value["Fn::Sub"].replace("${Stage}", stage)
        return {name: _filled(inner, stage) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, stage) for inner in value]
    return value
