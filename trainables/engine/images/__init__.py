"""Images: references resolved, fetched safely, inspected."""
