"""The machinery under every trainable: contract, loop, folds, seeding, registry."""
