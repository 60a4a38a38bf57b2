"""From a trainable's contract to trained cells: assembly, stack sizes, runner."""
