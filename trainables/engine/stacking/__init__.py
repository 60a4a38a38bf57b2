"""Many cells as one model: module, optimizer, attention, dropout, training."""
