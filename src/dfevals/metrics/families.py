"""Imports every family of metrics, whose modules put their records into the registry."""

from dfevals.metrics import calibration, classification, operations, probabilistic, ranking, regression, trials

__all__ = ["calibration", "classification", "operations", "probabilistic", "ranking", "regression", "trials"]
