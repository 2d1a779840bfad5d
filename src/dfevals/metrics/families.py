"""Imports every family of metrics, whose modules put their records into the registry."""

from dfevals.metrics import classification, operations, probabilistic, ranking, regression, trials

__all__ = ["classification", "operations", "probabilistic", "ranking", "regression", "trials"]
