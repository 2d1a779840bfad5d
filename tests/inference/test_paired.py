"""t tests, signed ranks, sign flips and equivalence against SciPy, statsmodels and published examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfevals import inference
from dfevals.exceptions import DataError

rng = np.random.default_rng(20)
A, B = rng.normal(0.2, 1, 40), rng.normal(0, 1, 40)

# Hollander & Wolfe, Nonparametric statistical methods, table 3.1: depression scale factor of nine patients at two visits
FIRST_VISIT = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
SECOND_VISIT = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]


def test_paired_t_equals_scipy():
    from scipy.stats import ttest_rel

    test, expected = inference.paired_ttest(A, B, level=0.9), ttest_rel(A, B)
    assert (test.statistic, test.p_value, test.df) == pytest.approx((expected.statistic, expected.pvalue, expected.df))
    interval = expected.confidence_interval(0.9)
    assert (test.ci_low, test.ci_high) == pytest.approx((interval.low, interval.high))
    assert test.estimate == pytest.approx((A - B).mean())


def test_students_sleep_data_give_the_published_t():
    # Student (1908), Biometrika 6, section IX: additional sleep by two soporifics, t = 4.06 with 9 degrees of freedom
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    test = inference.paired_ttest(second, first)
    assert (round(test.estimate, 2), round(test.statistic, 2), test.df) == (1.58, 4.06, 9)


def test_welch_equals_scipy():
    from scipy.stats import ttest_ind

    test, expected = inference.welch_ttest(A, 2 * B[:15]), ttest_ind(A, 2 * B[:15], equal_var=False)
    assert (test.statistic, test.p_value, test.df) == pytest.approx((expected.statistic, expected.pvalue, expected.df))
    interval = expected.confidence_interval(0.95)
    assert (test.ci_low, test.ci_high) == pytest.approx((interval.low, interval.high))


def test_moments_give_the_same_tests_as_values_and_cohorts_the_same_as_one_by_one():
    a, b = rng.normal(size=(5, 30)), rng.normal(size=(5, 30))
    a[1, :7] = np.nan
    many = inference.paired_ttest(a, b)
    gaps = [row[~np.isnan(row)] for row in a - b]
    moments = inference.paired_ttest_from_moments(
        [g.mean() for g in gaps], [g.var(ddof=1) for g in gaps], [g.size for g in gaps]
    )
    np.testing.assert_allclose(many.p_value, moments.p_value)
    np.testing.assert_allclose(many.p_value, [inference.paired_ttest(x, y).p_value for x, y in zip(a, b, strict=True)])
    assert many.n.tolist() == [30, 23, 30, 30, 30]
    welch = inference.welch_ttest(a, b)
    np.testing.assert_allclose(welch.p_value, [inference.welch_ttest(x, y).p_value for x, y in zip(a, b, strict=True)])


@pytest.mark.parametrize("function", [inference.paired_ttest, inference.wilcoxon, inference.sign_flip_permutation])
def test_equal_models_have_p_1_and_no_pairs_a_reason(function):
    test = function(A, A)
    assert (test.estimate, test.p_value, test.note) == (0.0, 1.0, "all differences are 0")
    empty = function([np.nan, 1.0], [1.0, np.nan])
    assert np.isnan(empty.p_value)
    assert empty.note.partition("; ")[0] in ("too few pairs", "no complete pairs")


def test_constant_differences_are_labelled():
    test = inference.paired_ttest([0.1, 0.2, 0.3], [0.0, 0.1, 0.2])
    assert np.isnan(test.p_value)
    assert test.note == "constant differences"
    assert inference.paired_ttest([1.0], [2.0]).note == "too few pairs"
    assert inference.tost([0.1, 0.2, 0.3], [0.0, 0.1, 0.2], 0.5).p_value == 0.0
    assert inference.tost([0.1, 0.2, 0.3], [0.0, 0.1, 0.2], 0.05).p_value == 1.0


def test_values_of_different_rows_are_not_paired():
    with pytest.raises(DataError, match="welch_ttest"):
        inference.paired_ttest([1.0, 2.0], [1.0, 2.0, 3.0])


def test_wilcoxon_gives_the_published_example():
    # Hollander & Wolfe, examples 3.1, 3.3, 3.4: T+ = 40, p = .039 (two-sided), estimate .46; R 4.2.2 wilcox.test: .010 to .786
    test = inference.wilcoxon(FIRST_VISIT, SECOND_VISIT)
    assert test.statistic == 45 - 40
    assert test.p_value == pytest.approx(0.0390625)
    assert (round(test.estimate, 2), round(test.ci_low, 3), round(test.ci_high, 3)) == (0.46, 0.010, 0.786)


def test_wilcoxon_equals_scipy_with_and_without_ties():
    from scipy.stats import wilcoxon

    assert inference.wilcoxon(A, B).p_value == pytest.approx(wilcoxon(A, B, method="exact").pvalue)
    a, b = np.rint(rng.normal(2, 10, 90)), np.rint(rng.normal(0, 10, 90))
    assert inference.wilcoxon(a, b).p_value == pytest.approx(wilcoxon(a, b, method="approx").pvalue)


def all_signs(gaps):
    """p of the signed-rank test over all signs of SciPy's mid-ranks of what is not 0."""
    from itertools import product

    from scipy.stats import rankdata

    moved = np.round(gaps, 9)[np.round(gaps, 9) != 0]
    ranks = rankdata(np.abs(moved))
    sums = np.array([np.dot(signs, ranks) for signs in product((0, 1), repeat=len(ranks))])
    middle = ranks.sum() / 2
    return (np.abs(sums - middle) >= np.abs(ranks[moved > 0].sum() - middle) - 1e-9).mean()


def test_wilcoxon_is_exact_with_ties():
    # R, exactRankTests::wilcox.exact and coin::wilcoxsign_test(distribution = "exact"): .0625 = 2 / 2^5, and .6875
    assert inference.wilcoxon([45] * 5, [44] * 5).p_value == 0.0625
    first, second = [1, 1, 2, 2, 3, 3, 4, 5, 5, 6], [1, 2, 2, 3, 3, 4, 4, 4, 6, 5]
    assert inference.wilcoxon(first, second).p_value == 0.6875
    for n in (2, 5, 9, 12):
        gaps = rng.integers(-3, 5, n)
        if gaps.any():
            assert inference.wilcoxon(gaps, 0 * gaps).p_value == pytest.approx(all_signs(gaps))


@given(st.lists(st.integers(-3, 4), min_size=3, max_size=11), st.integers(1, 90))
def test_wilcoxon_takes_rounding_for_ties_and_is_the_same_cohort_by_cohort(steps, start):
    low = (start + np.arange(len(steps))) / 100
    exact, rounded = np.array(steps), low + np.array(steps) / 100
    tests = [inference.wilcoxon(exact, 0 * exact), inference.wilcoxon(rounded, low)]
    tests.append(inference.wilcoxon(np.float32(rounded), np.float32(low)))
    assert [t.p_value for t in tests] == pytest.approx([all_signs(exact) if exact.any() else 1.0] * 3)
    several = inference.wilcoxon([exact, exact[::-1]], np.zeros((2, len(steps))))
    assert several.p_value.tolist() == [tests[0].p_value] * 2
    assert several.n.tolist() == [len(steps)] * 2


@pytest.mark.parametrize("function", [inference.wilcoxon, inference.sign_flip_permutation, inference.paired_ttest])
@pytest.mark.parametrize("n", [6, 9, 15, 24, 60])
def test_intervals_of_pairs_hold_0_exactly_where_the_test_does_not_reject(function, n):
    drawn = np.random.default_rng(n)
    gaps = np.vstack(
        [drawn.normal(0.3, 1, (150, n)), drawn.integers(-3, 5, (150, n)), drawn.exponential(size=(150, n)) - 0.8]
    )
    options = {} if function is not inference.sign_flip_permutation else {"n_resamples": 199, "random_state": 0}
    test = function(gaps, np.zeros_like(gaps), level=0.9, **options)
    known = ~np.isnan(test.ci_low)
    excludes = (test.ci_low > 0) | (test.ci_high < 0)
    assert known.mean() > 0.95
    assert (excludes == (test.p_value <= 0.1))[known].all()
    assert 0.1 < excludes.mean() < 0.95


def test_signed_ranks_without_a_middle_of_their_own_have_no_interval():
    test = inference.wilcoxon([1.0] * 8 + [0.0] * 100, np.zeros(108))
    assert test.p_value == 2 / 2**8
    assert test.estimate == 0
    assert np.isnan(test.ci_low)
    assert "the middle of the differences is 0" in test.note


def test_large_and_small_walsh_averages_agree():
    from dfevals.inference.ranks import _walsh_average

    ordered = np.sort(rng.normal(size=1001))
    averages = np.sort(((ordered[:, None] + ordered) / 2)[np.triu_indices(1001)])
    for rank in (1, 2, 1000, averages.size // 2, averages.size):
        assert _walsh_average(ordered, rank) == pytest.approx(averages[rank - 1], abs=1e-12)


@pytest.mark.parametrize("n", [3, 8, 12])
def test_sign_flips_enumerate_all_patterns(n):
    from scipy.stats import permutation_test

    expected = permutation_test(
        (A[:n] - B[:n],), lambda x, axis: x.mean(axis), permutation_type="samples", n_resamples=np.inf
    )
    assert inference.sign_flip_permutation(A[:n], B[:n]).p_value == pytest.approx(expected.pvalue)


def test_fishers_maize_gives_the_published_p_value():
    # Fisher (1935), The design of experiments, section 21: Darwin's maize, 1726 of 2^15 patterns are as extreme
    gaps = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    test = inference.sign_flip_permutation(gaps, np.zeros(15))
    assert test.p_value == 1726 / 2**15


def test_monte_carlo_sign_flips_are_seeded_agree_with_t_and_never_give_0():
    test = inference.sign_flip_permutation(A, B, 9999, random_state=1)
    assert test.p_value == inference.sign_flip_permutation(A, B, 9999, random_state=1).p_value
    t = inference.paired_ttest(A, B)
    assert test.p_value == pytest.approx(t.p_value, abs=0.02)
    assert (test.ci_low, test.ci_high) == pytest.approx((t.ci_low, t.ci_high), abs=0.05)
    assert inference.sign_flip_permutation(A + 9, B, 99, random_state=1).p_value == 1 / 100


@given(st.integers(17, 40), st.integers(0, 1000))
def test_byte_tables_draw_every_sign_with_equal_chance(n, seed):
    from dfevals.inference.ranks import _random_subsets

    sums, sizes = _random_subsets(np.arange(1.0, n + 1), 2000, np.random.default_rng(seed))
    assert sums.mean() == pytest.approx(n * (n + 1) / 4, abs=6 * np.sqrt((np.arange(n + 1) ** 2).sum() / 4 / 2000))
    assert sizes.mean() == pytest.approx(n / 2, abs=6 * np.sqrt(n / 4 / 2000))
    assert sizes.max() <= n


def test_tost_equals_statsmodels():
    from statsmodels.stats.weightstats import ttost_ind, ttost_paired

    p, low, high = ttost_paired(A, B, -0.7, 0.9)
    test = inference.tost(A, B, (-0.7, 0.9))
    assert test.p_value == pytest.approx(p)
    assert test.statistic == pytest.approx(min(low[0], -high[0]))
    p, _, _ = ttost_ind(A, B[:20], -0.8, 0.8, usevar="unequal")
    assert inference.tost(A, B[:20], 0.8, paired=False).p_value == pytest.approx(p)


@given(st.floats(0.05, 2))
def test_tost_agrees_with_its_interval(margin):
    test = inference.tost(A, B, margin)
    assert (test.p_value < 0.05) == (-margin < test.ci_low and test.ci_high < margin)
    assert test.level == 0.9


def test_a_margin_that_is_not_positive_is_refused():
    with pytest.raises(DataError, match="margin"):
        inference.tost(A, B, 0)
