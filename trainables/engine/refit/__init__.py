"""One config on all rows: network, saved model, new rows, attribution."""
