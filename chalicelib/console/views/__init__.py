"""The pages, one module per section: gather by the API, choose a template. No rule and no storage stands here."""
