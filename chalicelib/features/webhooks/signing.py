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
from functools import lru_cache

from pynamodb.attributes import BinaryAttribute

from chalicelib.platform import secret
from chalicelib.platform.dynamodb import ConditionFailed
from chalicelib.platform.rows import Row
from chalicelib.platform.settings import settings

_CONTEXT = {"purpose": "tollgate-webhook-signing"}

_PK = "signing-key"


class SigningKeyRow(Row):
    """The installation's key, encrypted."""

    encrypted = BinaryAttribute(legacy_encoding=False)


def jwt_signature(body: str) -> str:
    """A JWT, RS256, that carries exactly this body and the server's public URL."""
    import jwt

    claims = {"data": body, "iss": settings().public_url}
    return jwt.encode(claims, private_pem(), algorithm="RS256")


def hmac_signature(body: bytes, key: str) -> str:
    """base64 of HMAC-SHA256 over the raw body, without line breaks."""
    return base64.b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).decode()


def public_key_base64() -> str:
    """base64 of the public key's PEM, as the API publishes it."""
    from cryptography.hazmat.primitives import serialization

    private = serialization.load_pem_private_key(private_pem().encode(), password=None)
    pem = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
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


def _new_pem() -> str:
    """A fresh key. 2048 bits in PKCS#8: 1.7 KB, below the 4 KB that KMS encrypts directly."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
