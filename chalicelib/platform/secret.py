"""Secrets at rest: encrypted by KMS under an encryption context, which decryption requires."""

from collections.abc import Mapping

from chalicelib.platform import aws
from chalicelib.platform.settings import settings


def seal(plain: str, context: Mapping[str, str]) -> bytes:
    """Encrypt a secret of at most 4 KB."""
    kms = aws.client("kms")
    sealed = kms.encrypt(KeyId=settings().signing_key, Plaintext=plain.encode(), EncryptionContext=dict(context))
    return bytes(sealed["CiphertextBlob"])


def unseal(sealed: bytes, context: Mapping[str, str]) -> str:
    """Decrypt a secret. KMS refuses a context other than the one it was encrypted under."""
    opened = aws.client("kms").decrypt(CiphertextBlob=sealed, EncryptionContext=dict(context))
    return bytes(opened["Plaintext"]).decode()
