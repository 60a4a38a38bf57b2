"""Ray trials: stacks handed out, workers, retries, time limits."""
