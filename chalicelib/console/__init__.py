"""The web console: pages made on the server. Its views reach everything through the API's own views
(`platform/http/inside.py`), so that a page shows the API's figures and refuses what the API refuses."""
