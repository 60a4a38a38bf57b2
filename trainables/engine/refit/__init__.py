"""One config on all rows: final network, saved model, new rows, attribution, occlusion."""
