"""HTTP: calls as views get them, answers as clients get them, and JSON."""

from chalicelib.platform.http.answers import Answer
from chalicelib.platform.http.call import Call, Routes
from chalicelib.platform.http.json import read_json, to_json

__all__ = ["Answer", "Call", "Routes", "read_json", "to_json"]
