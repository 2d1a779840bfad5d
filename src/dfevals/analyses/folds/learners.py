"""Learners rather than fitted models: paired values per fold, tested so that shared training rows do no harm."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.analyses.folds.per_fold import Folds
from dfevals.estimates.tested import Tested, TestOptions
from dfevals.exceptions import DataError, MetricError, check_choice
from dfevals.inference.folds import calibrated_resampled_ttest, five_by_two_cv_ftest, five_by_two_cv_ttest
from dfevals.inference.levels import t_quantile
from dfevals.inference.paired import differences_of, paired_ttest
from dfevals.inference.seeds import generator

__all__ = ["FOLD_TESTS", "by_folds"]

Floats = npt.NDArray[np.float64]
FOLD_TESTS = ("corrected-t", "plain-t", "5x2cv-t", "5x2cv-f", "folds-wilcoxon", "folds-sign-flip")
FEW_FOLDS = 3


def by_folds(a: Floats, b: Floats, n: Floats, folds: Folds, options: TestOptions, label: str) -> Tested:
    """Test two learners on their values per fold.

    Parameters
    ----------
    a, b : ndarray (cohorts, folds)
        The metric in every fold; NaN where it is not defined.
    n : ndarray (cohorts, folds)
        Rows behind each value.
    folds : Folds
    options : TestOptions
    label : str
        The metric, for messages.
    """
    test = "corrected-t" if options.test == "auto" else options.test
    check_choice("test", test, FOLD_TESTS, MetricError)
    both = ~np.isnan(a) & ~np.isnan(b)
    gaps = np.where(both, differences_of(a, b)[0], np.nan)
    count = both.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value_a, value_b = (np.where(both, v, 0).sum(axis=1) / count for v in (a, b))
    if test == "corrected-t":
        n_train = np.maximum(folds.n_train, 1)
        found: Any = calibrated_resampled_ttest(gaps, n_train, folds.n_test, folds.n_repeats, options.level)
    elif test == "plain-t":
        found = paired_ttest(np.where(both, a, np.nan), np.where(both, b, np.nan), options.level)
    elif test.startswith("5x2cv"):
        found = _five_by_two(gaps, folds, test, label)
    else:
        return _distribution_free(a, b, both, n, options, value_a, value_b)
    return _tested(found, value_a, value_b, gaps, count, n, options.level, folds)


def _five_by_two(gaps: Floats, folds: Folds, test: str, label: str) -> Any:
    if folds.n != 10 or len(set(folds.repeats)) != 5 or folds.ragged:
        raise DataError(
            f"test={test!r} of {label!r} needs five repeats of two folds; there are {folds.n} folds in "
            f"{len(set(folds.repeats))} repeat(s). Make them with dfevals.cross_validate(..., "
            "cv=RepeatedStratifiedKFold(n_splits=2, n_repeats=5)), or use test='corrected-t'."
        )
    order = np.argsort(np.array(folds.repeats), kind="stable")
    shaped = gaps[:, order].reshape(-1, 5, 2)
    return five_by_two_cv_ttest(shaped) if test == "5x2cv-t" else five_by_two_cv_ftest(shaped)


def _tested(
    found: Any, value_a: Floats, value_b: Floats, gaps: Floats, count: Any, n: Floats, level: float, folds: Folds
) -> Tested:
    shape = value_a.shape
    low, high, statistic, p = (
        np.broadcast_to(np.asarray(getattr(found, name), float), shape).copy()
        for name in ("ci_low", "ci_high", "statistic", "p_value")
    )
    given = np.nan if isinstance(found.df, tuple) else found.df
    df = np.broadcast_to(np.asarray(np.where(np.isnan(given), count - 1, given), float), shape)
    notes = np.broadcast_to(np.atleast_1d(np.asarray(found.note)), shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        se = (high - low) / (2 * t_quantile(level, df))
    masks = [(notes == text, str(text)) for text in np.unique(notes) if text]
    masks.append((count == 0, "not defined in any fold"))
    return Tested(
        value_a, value_b, low, high, statistic, p, n.sum(axis=1), found.method, se, df, count < FEW_FOLDS, masks,
        np.where(count > 0, np.nansum(gaps, axis=1) / np.maximum(count, 1), np.nan),
    )  # fmt: skip


def _distribution_free(
    a: Floats, b: Floats, both: Any, n: Floats, options: TestOptions, value_a: Floats, value_b: Floats
) -> Tested:
    from dfevals.inference.ranks import sign_flip_permutation, wilcoxon

    a, b = np.where(both, a, np.nan), np.where(both, b, np.nan)
    if options.test == "folds-wilcoxon":
        found = wilcoxon(a, b, options.level)
    else:
        found = sign_flip_permutation(a, b, 9999, generator(options.random_state), options.level)
    low, high, statistic, p = (
        np.asarray(v, float) for v in (found.ci_low, found.ci_high, found.statistic, found.p_value)
    )
    notes = np.asarray(found.note, dtype=object)
    masks = [(notes == text, text) for text in dict.fromkeys(notes) if text]
    masks.append((p >= 0, "folds share training rows, which this test does not allow for"))
    count = both.sum(axis=1)
    return Tested(
        value_a, value_b, low, high, statistic, p, n.sum(axis=1), f"{found.method.split(',')[0]}, over folds", np.full(len(p), np.nan),
        np.full(len(p), np.nan), count < FEW_FOLDS, masks, value_a - value_b,
    )  # fmt: skip
