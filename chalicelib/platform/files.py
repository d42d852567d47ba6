"""S3: documents and large payloads, and links to them that expire."""

import re
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from chalicelib import limits
from chalicelib.platform import aws
from chalicelib.platform.settings import settings


def put(name: str, content: bytes, content_type: str) -> None:
    """Store a file under a name; storing it again replaces it."""
    aws.client("s3").put_object(Bucket=settings().files_bucket, Key=name, Body=content, ContentType=content_type)


def get(name: str) -> bytes:
    """The content of a file."""
    return bytes(aws.client("s3").get_object(Bucket=settings().files_bucket, Key=name)["Body"].read())


def exists(name: str) -> bool:
    """Whether there is a file of this name."""
    try:
        aws.client("s3").head_object(Bucket=settings().files_bucket, Key=name)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise
    return True


def disposition(filename: str, how: str = "inline") -> str:
    """The Content-Disposition header for a file name of any characters: shown `inline`, or saved as `attachment`. A name
    that is not plain ASCII is sent encoded, beside a plain fallback. Source: RFC 6266, RFC 8187."""
    plain = re.sub("[^A-Za-z0-9 ._-]", "_", filename)
    encoded = "" if plain == filename else f"; filename*=UTF-8''{quote(filename, safe='')}"
    return f'{how}; filename="{plain}"{encoded}'


def link(name: str, filename: str, how: str = "inline") -> str:
    """A presigned URL of a file, at the public host, which expires after a quarter of an hour. `how`: see `disposition`."""
    parameters = {
        "Bucket": settings().files_bucket,
        "Key": name,
        "ResponseContentDisposition": disposition(filename, how),
    }
    url = _linker().generate_presigned_url("get_object", Params=parameters, ExpiresIn=limits.LINK_SECONDS)
    return str(url)


@lru_cache(maxsize=1)
def _linker() -> Any:
    """The client that signs links for the public host, as the host is part of the signature."""
    if not settings().files_url:
        return aws.client("s3")
    import boto3
    from botocore.config import Config

    config = Config(signature_version="s3v4", s3={"addressing_style": "path"})
    session: Any = boto3.session.Session()
    return session.client("s3", endpoint_url=settings().files_url, config=config)
