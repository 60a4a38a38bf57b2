"""From rows to batches: tokens, cached states, views, metadata."""
