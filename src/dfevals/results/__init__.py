"""Results: a tidy frame with its provenance, shown as HTML, text, Markdown or a chart."""

from dfevals.results.provenance import Provenance
from dfevals.results.result import MetricsResult, Result

__all__ = ["MetricsResult", "Provenance", "Result"]
