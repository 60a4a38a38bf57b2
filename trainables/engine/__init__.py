"""The machinery under every trainable: contract, splits, inputs, training, refit."""
