"""`make deploy STAGE=...`: upload the package and deploy it by CloudFormation.

ADMIN_API_KEY opens the admin route. PUBLIC_URL is the address that clients see; where it is not given, the API's own is set
by a second update once it is known. PRINT_LAYER names the layer with WeasyPrint's native libraries (infra/layers/build.sh).
"""

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from chalicelib import limits
from infra.package import TARGET


def main() -> int:
    """Deploy what `make package` built."""
    import boto3

    stage, admin_key = os.environ.get("STAGE", "dev"), os.environ.get("ADMIN_API_KEY", "")
    if 0 < len(admin_key) < limits.ADMIN_KEY_LENGTH_MIN:
        print(
            f"ADMIN_API_KEY needs at least {limits.ADMIN_KEY_LENGTH_MIN} characters. Nothing was deployed.",
            file=sys.stderr,
        )
        return 1
    session = boto3.session.Session()
    account = session.client("sts").get_caller_identity()["Account"]
    parameters = {
        "Stage": stage,
        "AdminApiKey": admin_key,
        "GoCardlessClientSecret": os.environ.get("GOCARDLESS_CLIENT_SECRET", ""),
        "PublicUrl": os.environ.get("PUBLIC_URL", ""),
        "PrintLayerArn": os.environ.get("PRINT_LAYER", ""),
    }
    outputs = deploy(session, TARGET, stage, bucket=f"tollgate-deployments-{account}", parameters=parameters)
    endpoint = outputs["EndpointURL"].rstrip("/")
    if not parameters["PublicUrl"]:
        parameters["PublicUrl"] = endpoint
        deploy(session, TARGET, stage, bucket=f"tollgate-deployments-{account}", parameters=parameters)
    print(f"Deployed: {endpoint}")
    return 0


def deploy(session: Any, folder: Path, stage: str, *, bucket: str, parameters: dict[str, str]) -> dict[str, str]:
    """Create or update the stage's stack; returns its outputs."""
    s3, cloudformation = session.client("s3"), session.client("cloudformation")
    if bucket not in {found["Name"] for found in s3.list_buckets()["Buckets"]}:
        where = {"CreateBucketConfiguration": {"LocationConstraint": session.region_name}}
        s3.create_bucket(Bucket=bucket, **({} if session.region_name == "us-east-1" else where))
    template = json.loads((folder / "template.json").read_text())
    code = (folder / "code.zip").read_bytes()
    key = f"tollgate/{hashlib.sha256(code).hexdigest()}.zip"
    s3.put_object(Bucket=bucket, Key=key, Body=code)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": bucket, "Key": key}
    body = json.dumps(template)
    template_key = f"tollgate/{hashlib.sha256(body.encode()).hexdigest()}.json"
    s3.put_object(Bucket=bucket, Key=template_key, Body=body.encode())
    name = f"tollgate-{stage}"
    change = {
        "StackName": name,
        "TemplateURL": f"{s3.meta.endpoint_url}/{bucket}/{template_key}",
        "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    }
    _apply(cloudformation, name, change)
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _apply(cloudformation: Any, name: str, change: dict[str, Any]) -> None:
    try:
        cloudformation.describe_stacks(StackName=name)
    except cloudformation.exceptions.ClientError:
        cloudformation.create_stack(**change)
        cloudformation.get_waiter("stack_create_complete").wait(StackName=name)
        return
    try:
        cloudformation.update_stack(**change)
    except cloudformation.exceptions.ClientError as error:
        if "No updates" not in str(error):
            raise
        return
    cloudformation.get_waiter("stack_update_complete").wait(StackName=name)


if __name__ == "__main__":
    sys.exit(main())
