"""What a trained model or a representation looks like: numbers, pictures, maps over words."""
