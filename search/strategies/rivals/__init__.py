"""Further rivals of the race: replayed on tables, never trained."""
