"""HOW one stack of cells is trained; knows neither ray nor mlflow."""
