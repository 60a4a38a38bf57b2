"""Model of the race: every config's score from the cells so far."""
