"""Intervals of proportions and differences against statsmodels and published tables."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfevals import inference
from dfevals.exceptions import DataError

STATSMODELS_NAMES = {"wilson": "wilson", "clopper_pearson": "beta", "agresti_coull": "agresti_coull"}


@pytest.mark.parametrize("name", STATSMODELS_NAMES)
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_intervals_equal_statsmodels(name, level):
    from statsmodels.stats.proportion import proportion_confint

    k, n = (grid.ravel() for grid in np.meshgrid([0, 1, 2, 7, 10], [10, 37, 1000]))
    record = getattr(inference, name)(k, n, level)
    low, high = proportion_confint(k, n, alpha=1 - level, method=STATSMODELS_NAMES[name])
    np.testing.assert_allclose(record.ci_low, low, atol=1e-12)
    np.testing.assert_allclose(record.ci_high, high, atol=1e-12)
    np.testing.assert_allclose(record.estimate, k / n)


@pytest.mark.parametrize("name", STATSMODELS_NAMES)
def test_scalars_give_floats_arrays_give_arrays_and_no_rows_give_nan(name):
    function = getattr(inference, name)
    record = function(3, 10)
    assert all(type(value) is float for value in (record.estimate, record.ci_low, record.ci_high))
    record = function(np.zeros((2, 1)), np.array([[0, 5, 10]]))
    assert record.estimate.shape == record.ci_low.shape == record.note.shape == (2, 3)
    assert np.isnan(record.estimate[:, 0]).all()
    assert np.isnan(record.ci_high[:, 0]).all()
    assert (record.note[:, 0] == "no rows").all()
    assert (record.note[:, 1:] == "").all()
    assert function(0, 0).note == "no rows"


@given(st.integers(1, 10_000), st.data())
def test_intervals_hold_the_estimate_and_stay_in_the_unit_interval(n, data):
    k = data.draw(st.integers(0, n))
    for name in STATSMODELS_NAMES:
        record = getattr(inference, name)(k, n)
        assert 0 <= record.ci_low <= record.estimate <= record.ci_high <= 1


def test_bounds_are_exact_at_the_ends_also_for_effective_sizes():
    for name in ("wilson", "clopper_pearson"):
        record = getattr(inference, name)([0, 7.3], 7.3)
        assert record.ci_low[0] == 0.0
        assert record.ci_high[1] == 1.0
    rounded = inference.wilson(0.1 + 0.2, 0.3)  # 0.30000000000000004 of 0.3
    assert rounded.estimate == 1.0


@pytest.mark.parametrize(
    ("k", "n", "words"), [(11, 10, "greater"), (-1, 10, "k is negative"), (0, -1, "n is negative")]
)
def test_impossible_counts_are_refused(k, n, words):
    with pytest.raises(DataError, match=words):
        inference.wilson(k, n)


def test_a_level_in_percent_is_refused_with_the_fix():
    with pytest.raises(DataError, match=r"Did you mean 0\.95"):
        inference.wilson(1, 2, 95)


# Newcombe (1998), Statistics in Medicine 17:873-890, table II, method 10 (hybrid score, no continuity correction).
NEWCOMBE_TABLE_II = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (6, 7, 2, 7, 0.0582, 0.8062),
    (5, 56, 0, 29, -0.0381, 0.1926),
]


@pytest.mark.parametrize(("k1", "n1", "k2", "n2", "low", "high"), NEWCOMBE_TABLE_II)
def test_newcombe_difference_gives_the_published_table(k1, n1, k2, n2, low, high):
    record = inference.newcombe_difference(k1, n1, k2, n2)
    assert round(record.ci_low, 4) == low
    assert round(record.ci_high, 4) == high


def test_newcombe_difference_broadcasts_and_equals_statsmodels():
    from statsmodels.stats.proportion import confint_proportions_2indep

    k1, n1, k2, n2 = (
        np.array([3, 20, 0, 9]),
        np.array([10, 30, 12, 9]),
        np.array([5, 11, 0, 4]),
        np.array([9, 40, 8, 50]),
    )
    record = inference.newcombe_difference(k1, n1, k2, n2, 0.9)
    expected = [confint_proportions_2indep(*c, method="newcomb", alpha=0.1) for c in zip(k1, n1, k2, n2, strict=True)]
    np.testing.assert_allclose(np.column_stack([record.ci_low, record.ci_high]), expected, atol=1e-12)
    empty = inference.newcombe_difference([1, 1], [2, 2], [0, 1], [0, 3])
    assert list(empty.note) == ["no rows in the second sample", ""]
    assert np.isnan(empty.ci_low[0])
