"""Queue of cells, and the stacks made of them."""
