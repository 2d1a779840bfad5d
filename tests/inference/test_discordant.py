"""McNemar, paired differences and Cochran's Q against statsmodels, mlxtend and published examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfevals import inference
from dfevals.exceptions import DataError

counts = st.integers(0, 400)


@given(counts, counts)
def test_exact_and_chi2_equal_statsmodels(b, c):
    from statsmodels.stats.contingency_tables import mcnemar

    table = [[0, b], [c, 0]]
    exact = mcnemar(table, exact=True)
    assert inference.mcnemar(b, c, "exact").p_value == pytest.approx(min(exact.pvalue, 1), rel=1e-9)
    if b + c:
        plain = mcnemar(table, exact=False, correction=False)
        test = inference.mcnemar(b, c, "chi2")
        assert (test.statistic, test.p_value) == pytest.approx((plain.statistic, plain.pvalue), rel=1e-9)
    if b != c:  # with b = c, statsmodels moves the statistic away from 0
        corrected = mcnemar(table, exact=False, correction=True)
        assert inference.mcnemar(b, c, "chi2-cc").p_value == pytest.approx(corrected.pvalue, rel=1e-9)


@given(counts, counts)
def test_mid_p_is_the_exact_p_less_half_of_both_points(b, c):
    from scipy.stats import binom

    expected = 1.0
    if b != c:
        expected = 2 * binom.cdf(min(b, c), b + c, 0.5) - binom.pmf(min(b, c), b + c, 0.5)
    assert inference.mcnemar(b, c).p_value == pytest.approx(expected, rel=1e-9)


def test_airway_responsiveness_gives_the_published_p_values():
    # Fagerland, Lydersen & Laake (2013), BMC Medical Research Methodology 13:91, table 4: 21 children, b = 1, c = 7
    p = {method: inference.mcnemar(1, 7, method).p_value for method in ("mid-p", "exact", "chi2", "chi2-cc")}
    assert {method: round(value, 3) for method, value in p.items()} == {
        "mid-p": 0.039,
        "exact": 0.070,
        "chi2": 0.034,
        "chi2-cc": 0.077,
    }


def test_approval_ratings_give_the_published_statistic():
    # Agresti (2002), Categorical data analysis, 2nd ed., table 10.1: z = -4.17
    test = inference.mcnemar(86, 150, "chi2")
    assert round(np.sqrt(test.statistic), 2) == 4.17
    assert test.df == 1.0


def test_the_worked_examples_of_mlxtends_manual():
    from mlxtend.evaluate import mcnemar

    for table in ([[9945, 25], [15, 15]], [[9959, 11], [1, 29]]):
        b, c = table[0][1], table[1][0]
        chi2, p = mcnemar(np.array(table), corrected=True)
        test = inference.mcnemar(b, c, "chi2-cc")
        assert (test.statistic, test.p_value) == pytest.approx((chi2, p))
        _, p = mcnemar(np.array(table), exact=True)
        assert inference.mcnemar(b, c, "exact").p_value == pytest.approx(p)


def test_cohorts_at_once_equal_one_by_one_and_missing_and_empty_are_labelled():
    b, c = np.array([[0, 3, 12], [7, 0, 400]]), np.array([[0, 9, 2], [7, 1, 380]])
    n = b + c + 10
    for method in ("mid-p", "exact", "chi2", "chi2-cc"):
        test = inference.mcnemar(b, c, method, n=n)
        assert test.p_value.shape == test.ci_low.shape == test.note.shape == (2, 3)
        for at in np.ndindex(b.shape):
            alone = inference.mcnemar(b[at], c[at], method, n=n[at])
            assert test.p_value[at] == pytest.approx(alone.p_value)
            assert test.ci_low[at] == pytest.approx(alone.ci_low)
        assert test.p_value[0, 0] == 1.0
        assert test.note[0, 0] == "no discordant pairs"
    assert inference.mcnemar(np.nan, 3).note == "missing count"
    assert np.isnan(inference.mcnemar(np.nan, 3).p_value)


def test_without_all_pairs_the_estimate_is_the_balance_of_discordant_pairs():
    test = inference.mcnemar(30, 10, "chi2")
    assert test.estimate == 0.5
    assert test.n == 40
    share = inference.wilson(30, 40)
    assert (test.ci_low, test.ci_high) == pytest.approx((2 * share.ci_low - 1, 2 * share.ci_high - 1))


@given(counts, counts, st.integers(1, 1000))
def test_paired_difference_is_antisymmetric_and_bounded(b, c, more):
    record = inference.paired_difference(b, c, b + c + more)
    swapped = inference.paired_difference(c, b, b + c + more)
    assert record.estimate == -swapped.estimate
    assert record.ci_low == pytest.approx(-swapped.ci_high)
    assert -1 <= record.ci_low <= record.estimate <= record.ci_high <= 1


def test_impossible_counts_are_refused():
    with pytest.raises(DataError, match="more discordant pairs than pairs"):
        inference.mcnemar(5, 6, n=10)
    with pytest.raises(DataError, match="b is negative"):
        inference.mcnemar(-1, 6)
    with pytest.raises(DataError, match="mid-p"):
        inference.mcnemar(1, 6, "midp")


def test_cochrans_q_equals_statsmodels_and_mlxtend():
    from mlxtend.evaluate import cochrans_q as mlxtend_q
    from statsmodels.stats.contingency_tables import cochrans_q

    rng = np.random.default_rng(3)
    x = (rng.random((60, 4)) < [0.5, 0.6, 0.7, 0.75]).astype(int)
    test, expected = inference.cochrans_q(x), cochrans_q(x)
    assert (test.statistic, test.p_value) == pytest.approx((expected.statistic, expected.pvalue))
    q, p = mlxtend_q(np.ones(60, dtype=int), *x.T)
    assert (test.statistic, test.p_value) == pytest.approx((q, p))
    assert test.df == 3.0


def test_cochrans_q_with_two_models_is_mcnemar():
    rng = np.random.default_rng(8)
    x = rng.integers(0, 2, (80, 2))
    b, c = ((x[:, 0] > x[:, 1]).sum(), (x[:, 0] < x[:, 1]).sum())
    assert inference.cochrans_q(x).p_value == pytest.approx(inference.mcnemar(b, c, "chi2").p_value)


def test_cochrans_q_over_cohorts_leaves_out_incomplete_rows_and_labels_ties():
    rng = np.random.default_rng(8)
    x = rng.integers(0, 2, (3, 20, 3)).astype(float)
    x[0, :4, 1] = np.nan
    x[2] = x[2, :, :1]
    test = inference.cochrans_q(x)
    assert test.n.tolist() == [16, 20, 20]
    assert test.statistic[0] == pytest.approx(inference.cochrans_q(x[0, 4:]).statistic)
    assert (test.p_value[2], test.note[2]) == (1.0, "no row tells the models apart")
    with pytest.raises(DataError, match="0 and 1"):
        inference.cochrans_q([[0, 2], [1, 1]])


# Two rates on the same rows


def test_tangos_interval_gives_the_published_examples():
    # Fagerland, Lydersen & Laake (2014), Statistics in Medicine 33, airway hyper-responsiveness: −0.517 to −0.026
    airway = inference.paired_proportions(1, 7, 21)
    assert (round(airway.ci_low, 3), round(airway.ci_high, 3)) == (-0.517, -0.026)
    # Tango (1998), section 6, soft contact lenses: 43 of 44 and 44 of 44, 90% interval −0.096 to 0.037
    lenses = inference.paired_proportions(0, 1, 44, level=0.9)
    assert (round(lenses.ci_low, 3), round(lenses.ci_high, 3)) == (-0.096, 0.037)


def score_statistic(delta, b, c, n):
    """z of "the difference is delta", with the likelihood maximised numerically."""
    from scipy.optimize import minimize_scalar
    from scipy.special import xlogy

    def loss(chance):
        return -float(xlogy(b, chance + delta) + xlogy(c, chance) + xlogy(n - b - c, 1 - 2 * chance - delta))

    bounds = (max(0, -delta) + 1e-12, (1 - delta) / 2 - 1e-12)
    chance = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    return (b - c - n * delta) / np.sqrt(n * (2 * chance + delta * (1 - delta)))


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 40), st.sampled_from([0.8, 0.95, 0.99]))
def test_tangos_bounds_are_where_the_score_statistic_is_the_quantile(b, c, more, level):
    from scipy.stats import norm

    test, n, z = inference.paired_proportions(b, c, b + c + more, level), b + c + more, norm.ppf(0.5 + level / 2)
    for bound, sign in ((test.ci_low, 1), (test.ci_high, -1)):
        assert score_statistic(bound, b, c, n) == pytest.approx(sign * z, abs=2e-3)
    assert (test.ci_low > 0 or test.ci_high < 0) == (test.p_value <= 1 - level)
    swapped = inference.paired_proportions(c, b, n, level)
    assert (swapped.ci_low, swapped.ci_high) == pytest.approx((-test.ci_high, -test.ci_low), abs=1e-12)
    assert (swapped.statistic, swapped.p_value) == pytest.approx((-test.statistic, test.p_value), nan_ok=True)


def test_tango_over_cohorts_and_at_the_edges():
    test = inference.paired_proportions([0, 24, 0, 3, np.nan], [0, 0, 0, 1, 2], [24, 24, 0, 10, 10])
    z = 1.959963984540054
    edge = z**2 / (24 + z**2)
    assert (test.ci_low[0], test.ci_high[0]) == pytest.approx((-edge, edge))
    assert test.ci_low[1] == pytest.approx((24 - z**2) / (24 + z**2), abs=1e-9)
    assert test.ci_high[1] == 1
    assert test.note.tolist() == ["no discordant pairs", "", "no rows", "", "missing count"]
    alone = inference.paired_proportions(3, 1, 10)
    assert (test.ci_low[3], test.p_value[3]) == (alone.ci_low, alone.p_value)
    with pytest.raises(DataError, match="more discordant pairs than pairs"):
        inference.paired_proportions(5, 6, 10)


@pytest.mark.parametrize("method", ["mid-p", "exact", "chi2", "chi2-cc"])
def test_intervals_of_mcnemar_hold_0_exactly_where_the_test_does_not_reject(method):
    b, c = (x.ravel() for x in np.meshgrid(np.arange(25), np.arange(25)))
    for test in (inference.mcnemar(b, c, method), inference.mcnemar(b, c, method, n=60)):
        assert (((test.ci_low > 0) | (test.ci_high < 0)) == (test.p_value <= 0.05)).all()
        assert ((test.ci_low <= test.estimate) & (test.estimate <= test.ci_high))[b + c > 0].all()
