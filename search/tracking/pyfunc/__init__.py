"""Code of registered models, which MLflow keeps with them."""
