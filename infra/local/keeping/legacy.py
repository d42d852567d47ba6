"""State of earlier versions: a file per service, saved at a clean stop only, and a folder of objects."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ministack.core.persistence import _json_object_hook


def state(folder: Path) -> dict[str, Any]:
    """State saved in a folder: service -> its state, that of S3 with its objects."""
    found: dict[str, Any] = {}
    for path in sorted((folder / "state").glob("*.json")):
        saved = json.loads(path.read_text(), object_hook=_json_object_hook)
        found[path.stem] = saved.get("payload", saved)
    if "s3" in found:
        found["s3"]["objects"] = list(_objects(folder / "s3" / "000000000000"))
    return found


def put_aside(folder: Path) -> None:
    """Rename the migrated state, so that it is migrated once and kept."""
    for name in ("state", "s3"):
        place = folder / name
        if place.is_dir():
            place.rename(place.with_name(f"{name}-of-an-earlier-version"))


def _objects(account: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for described in sorted(account.glob("*/**/*.meta.json")):
        path = described.with_name(described.name.removesuffix(".meta.json"))
        if path.is_file():
            bucket, *key = path.relative_to(account).parts
            record = {**json.loads(described.read_text()), "body": path.read_bytes()}
            yield bucket, "/".join(key), record
