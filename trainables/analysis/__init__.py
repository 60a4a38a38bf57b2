"""Pictures and numbers of trained models and representations."""
