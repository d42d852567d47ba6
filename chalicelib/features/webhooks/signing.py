"""Signatures: the installation's RSA key for JWT, an organization's own key (`organizations.hmac_keys`) for HMAC.

Items
    pk              sk    what it is
    signing-key     -     {encrypted}: the installation's RSA private key, encrypted by KMS

Access patterns
    1 private_pem()     GetItem   consistent, once in a process
    2 private_pem()     Put       at the first use ever, if nobody wrote one
"""

import base64
import hashlib
import hmac
import json
from functools import lru_cache
from typing import TYPE_CHECKING

from pynamodb.attributes import BinaryAttribute

from chalicelib import limits
from chalicelib.platform import secret
from chalicelib.platform.dynamodb import ConditionFailed
from chalicelib.platform.rows import Row
from chalicelib.platform.settings import settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_CONTEXT = {"purpose": "tollgate-webhook-signing"}

_PK = "signing-key"

# Characters of a JWT's first part with its dot (base64 of {"alg":"RS256","typ":"JWT"}), and of a signature of 256 bytes.
_JWT_HEAD, _RS256 = 37, 342


class SigningKeyRow(Row):
    """The installation's key, encrypted."""

    encrypted = BinaryAttribute(legacy_encoding=False)


def jwt_signature(body: str) -> str:
    """A JWT, RS256, that carries exactly this body and the server's public URL."""
    import jwt

    return jwt.encode(_claims(body), _loaded(private_pem()), algorithm="RS256")


def jwt_too_large(body: bytes) -> bool:
    """Whether the header of a body's JWT is longer than common servers take: they answer 431 or close the connection."""
    claims = len(json.dumps(_claims(body.decode()), separators=(",", ":")))
    return (
        len("X-Lago-Signature: ") + _JWT_HEAD + _base64_length(claims) + 1 + _RS256
        > limits.WEBHOOK_JWT_HEADER_BYTES_MAX
    )


def hmac_signature(body: bytes, key: str) -> str:
    """base64 of HMAC-SHA256 over the raw body, without line breaks."""
    return base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()


def standard_signature(message_id: str, timestamp: int, body: bytes, secret: str) -> str:
    """A signature as Standard Webhooks has it: over id, Unix time and body, by a secret `whsec_<base64>`.
    Source: rules/webhooks 2."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def public_key_base64() -> str:
    """base64 of the public key's PEM, as the API publishes it."""
    from cryptography.hazmat.primitives import serialization

    public = _loaded(private_pem()).public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(pem).decode()


@lru_cache(maxsize=1)
def private_pem() -> str:
    """The installation's private key, made at first use; of two makers at once the first one's stays."""
    row = SigningKeyRow.find(_PK)
    if row is None:
        pem = _new_pem()
        try:
            SigningKeyRow(pk=_PK, sk="-", encrypted=secret.seal(pem, _CONTEXT)).create().alone()
        except ConditionFailed:
            row = SigningKeyRow.find(_PK)
            assert row is not None, "somebody else has just written it"
        else:
            return pem
    return secret.unseal(row.encrypted, _CONTEXT)


def _claims(body: str) -> dict[str, str]:
    return {"data": body, "iss": settings().public_url}


def _base64_length(number: int) -> int:
    """Characters of base64 without padding."""
    return -(-number * 4 // 3)


@lru_cache(maxsize=1)
def _loaded(pem: str) -> "RSAPrivateKey":
    """The key, checked and ready: that takes longer than a signature."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    key = serialization.load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    return key


def _new_pem() -> str:
    """A fresh key. 2048 bits in PKCS#8: 1.7 KB, below the 4 KB that KMS encrypts directly."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
