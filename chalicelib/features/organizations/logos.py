"""The organization's logo: a PNG or JPEG of ours, stored under its own name. It comes in the request, never from an
address. Source: rules/invoices 12."""

import base64
import hashlib
import io
import warnings

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.features.organizations.records import Organization
from chalicelib.platform import files
from chalicelib.platform.ids import OrganizationId

# Base64 of the largest logo, with `data:image/jpeg;base64,` before it.
_TEXT_MAX = 4 * (-(-limits.LOGO_BYTES_MAX // 3)) + 40
_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg"}


def store(organization_id: OrganizationId, text: str) -> str:
    """Store the image that a request brought as base64; the name of its file.

    Raises: Invalid, for anything but a PNG or JPEG of a bounded size.
    """
    if len(text) > _TEXT_MAX:
        raise Invalid.field("logo", ErrorCode.INVALID_SIZE)
    try:
        content = base64.b64decode(text.rpartition(",")[2], validate=True)
    except ValueError:  # Also for letters that no base64 has.
        raise Invalid.field("logo", ErrorCode.INVALID_CONTENT_TYPE) from None
    if len(content) > limits.LOGO_BYTES_MAX:
        raise Invalid.field("logo", ErrorCode.INVALID_SIZE)
    kind, pixels = _read(content)
    if kind is None:
        raise Invalid.field("logo", ErrorCode.INVALID_CONTENT_TYPE)
    if pixels > limits.LOGO_PIXELS_MAX:
        raise Invalid.field("logo", ErrorCode.INVALID_SIZE)
    name = f"{organization_id}/logos/{hashlib.sha256(content).hexdigest()[:32]}"
    files.put(name, content, _TYPES[kind])
    return name


def data_address(organization: Organization) -> str | None:
    """The organization's logo as an address that holds it; None where it has none."""
    if organization.logo is None:
        return None
    content = files.get(organization.logo)
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _read(content: bytes) -> tuple[str | None, int]:
    """The kind of an image by its content, None where it cannot be drawn, and its pixels."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(content), formats=list(_TYPES)) as image:
                width, height = image.size
                image.verify()
                return str(image.format), width * height
    except Exception:  # noqa: BLE001  whatever the reader says of strange bytes
        return None, 0
