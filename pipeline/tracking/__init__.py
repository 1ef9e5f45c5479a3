"""The experiment record in MLflow."""
