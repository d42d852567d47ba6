"""HTTP: requests as views receive them, answers as clients receive them, and JSON."""

from chalicelib.platform.http.answers import Answer
from chalicelib.platform.http.call import Call, Routes, blueprint
from chalicelib.platform.http.endpoints import learn
from chalicelib.platform.http.inside import Client
from chalicelib.platform.http.json import read_json
from chalicelib.platform.json import to_json

__all__ = ["Answer", "Call", "Client", "Routes", "blueprint", "learn", "read_json", "to_json"]
