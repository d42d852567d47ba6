"""Secrets at rest: encrypted by KMS under a context, without which they cannot be read."""

from collections.abc import Mapping

from chalicelib.platform import aws
from chalicelib.platform.settings import settings


def seal(plain: str, context: Mapping[str, str]) -> bytes:
    """A secret of at most 4 KB, encrypted."""
    kms = aws.client("kms")
    sealed = kms.encrypt(KeyId=settings().signing_key, Plaintext=plain.encode(), EncryptionContext=dict(context))
    return bytes(sealed["CiphertextBlob"])


def unseal(sealed: bytes, context: Mapping[str, str]) -> str:
    """What `seal` was given under the same context; under another one KMS refuses."""
    opened = aws.client("kms").decrypt(CiphertextBlob=sealed, EncryptionContext=dict(context))
    return bytes(opened["Plaintext"]).decode()
