"""Pretrained networks: loading, cutting, pooling, preprocessing."""
