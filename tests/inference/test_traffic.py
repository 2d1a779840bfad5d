"""Sample-ratio mismatch: against SciPy, against a published example, by simulation, and on bad input."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from dfevals.exceptions import DataError
from dfevals.inference import sample_ratio_mismatch


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.9, 0.1], [0.2, 0.3, 0.5]])
def test_agrees_with_scipy_in_every_cohort(shares: list[float]) -> None:
    counts = np.random.default_rng(1).integers(1, 500, (40, len(shares)))
    found = sample_ratio_mismatch(counts, shares)
    for i, row in enumerate(counts):
        known = chisquare(row, row.sum() * np.array(shares))
        np.testing.assert_allclose([found.statistic[i], found.p_value[i]], [known.statistic, known.pvalue], rtol=1e-10)
    assert found.df == len(shares) - 1


def test_weights_stand_for_shares_and_arms_are_equal_by_default() -> None:
    counts = [[120, 80], [70, 30]]
    np.testing.assert_array_equal(
        sample_ratio_mismatch(counts, [9, 1]).p_value, sample_ratio_mismatch(counts, [0.9, 0.1]).p_value
    )
    np.testing.assert_array_equal(sample_ratio_mismatch(counts).p_value, sample_ratio_mismatch(counts, [1, 1]).p_value)


def test_published_example_of_a_mismatch() -> None:
    # Kohavi, Tang and Xu 2020, Trustworthy Online Controlled Experiments, ch. 3: 821,588 and 815,482 users, p = 1.8e-6
    assert sample_ratio_mismatch([821_588, 815_482]).p_value == pytest.approx(1.8e-6, rel=0.02)


def test_scalars_for_one_split() -> None:
    found = sample_ratio_mismatch([52, 48])
    assert isinstance(found.p_value, float)
    assert found.note == ""


def test_size_is_nominal_on_fair_splits() -> None:
    rng = np.random.default_rng(7)
    first = rng.binomial(1000, 0.9, 20_000)
    p = sample_ratio_mismatch(np.column_stack([first, 1000 - first]), [0.9, 0.1]).p_value
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.006)


def test_no_rows_are_undefined_and_few_are_said_to_be_rough() -> None:
    found = sample_ratio_mismatch([[0, 0], [3, 1], [60, 40]])
    assert np.isnan(found.p_value).tolist() == [True, False, False]
    assert found.note.tolist() == ["no rows", "fewer than 5 rows expected in an arm: rough", ""]


@pytest.mark.parametrize(
    ("counts", "expected", "message"),
    [
        (5, None, "at least two arms"),
        ([5], None, "at least two arms"),
        ([5, -1], None, "not negative"),
        ([5, np.nan], None, "Fill missing arms with 0"),
        ([5, 5], [1, 1, 1], "2 arms"),
        ([5, 5], [1, 0], "above 0"),
    ],
)
def test_bad_input_names_the_fix(counts: object, expected: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        sample_ratio_mismatch(counts, expected)  # type: ignore[arg-type]
