"""MLflow, and nothing else that imports it: client, fast path to sqlite, pages, registry."""
