"""Intervals, tests and corrections: arrays or counts in, small frozen records out.

Nothing here knows frames, cohorts or models. SciPy is imported inside the functions that need it.
"""

from dfevals.inference.multiple import (
    benjamini_hochberg,
    benjamini_yekutieli,
    bonferroni,
    correct,
    hochberg,
    holm,
)
from dfevals.inference.proportions import agresti_coull, clopper_pearson, newcombe_difference, wilson
from dfevals.inference.records import Estimate, HypothesisTest

__all__ = [
    "Estimate",
    "HypothesisTest",
    "agresti_coull",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "bonferroni",
    "clopper_pearson",
    "correct",
    "hochberg",
    "holm",
    "newcombe_difference",
    "wilson",
]
