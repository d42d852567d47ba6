"""S3: documents and large payloads, links to them that expire, and addresses of ours that do not.

An address carries what names the document and a secret that stands with it, so it needs no API key, and nothing is kept for it.
Answered by `api/files.py`.
"""

import base64
import binascii
import hmac
import re
import secrets
import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from chalicelib import limits
from chalicelib.platform import aws
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.settings import settings

_SECRET_BYTES = 16


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


def link(name: str, filename: str, how: str = "inline", *, head: bool = False) -> str:
    """A presigned URL of a file, at the public host, which expires after a quarter of an hour. `how`: see `disposition`;
    `head`: for requests that ask for its headers only, as the method is part of the signature."""
    parameters = {"Bucket": settings().files_bucket, "Key": name}
    if not head:
        parameters["ResponseContentDisposition"] = disposition(filename, how)
    operation = "head_object" if head else "get_object"
    return str(_linker().generate_presigned_url(operation, Params=parameters, ExpiresIn=limits.LINK_SECONDS))


@dataclass(frozen=True, slots=True)
class Document:
    """The document that an address names, in the folder of its kind, and the secret that was given for it."""

    folder: str
    organization_id: OrganizationId
    id: str
    secret: str

    def is_opened_by(self, secret: str | None) -> bool:
        """Whether the secret given is the document's own."""
        return secret is not None and hmac.compare_digest(self.secret, secret)


def new_secret() -> str:
    """A secret for the address of a document: 128 random bits."""
    return secrets.token_hex(_SECRET_BYTES)


def address(name: str, secret: str) -> str:
    """The address of a document `<organization>/<folder>/<id>.pdf`, which leads to it as long as the document is there."""
    organization_id, folder, file = name.split("/")
    ids = uuid.UUID(organization_id).bytes + uuid.UUID(file.removesuffix(".pdf")).bytes
    token = base64.urlsafe_b64encode(ids + bytes.fromhex(secret) + folder.encode()).rstrip(b"=").decode()
    return f"{settings().public_url.rstrip('/')}/files/{token}"


def document_of(token: str) -> Document | None:
    """The document that the last part of an address names; None for one that was never given."""
    try:
        content = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        organization_id, document_id, rest = (
            uuid.UUID(bytes=content[:16]),
            uuid.UUID(bytes=content[16:32]),
            content[32:],
        )
        folder = rest[_SECRET_BYTES:].decode()
    except (ValueError, binascii.Error):
        return None
    found = Document(folder, OrganizationId(str(organization_id)), str(document_id), rest[:_SECRET_BYTES].hex())
    # Bits that base64 leaves over would make several addresses of one.
    canonical = base64.urlsafe_b64encode(content).rstrip(b"=").decode() == token
    return found if canonical and len(rest) > _SECRET_BYTES else None


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
