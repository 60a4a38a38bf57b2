"""Numbers, pictures and word maps of trained models and representations."""
