"""Evaluate models where the predictions are: `df.evals` on any pandas DataFrame."""

__version__ = "0.1.0"
