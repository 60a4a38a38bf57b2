"""Model of the race: what the cells told so far say of every config."""
