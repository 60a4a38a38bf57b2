"""MLflow: client, sqlite fast path, pages, model registry."""
