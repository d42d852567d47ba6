"""The version that `GET /health` and the documents name."""

VERSION = "0.1.0"
