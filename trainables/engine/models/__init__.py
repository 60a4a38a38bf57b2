"""Pretrained networks and surgery on them: towers, vocabulary, pooling."""
