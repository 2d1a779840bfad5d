"""Two proportions, Mantel–Haenszel and effect sizes against SciPy, statsmodels and R."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from dfevals import inference
from dfevals.exceptions import DataError

# Bickel, Hammel & O'Connell (1975), Science 187: admissions to Berkeley, [[men, women] admitted, [men, women] rejected]
BERKELEY = [
    [[512, 89], [313, 19]],
    [[353, 17], [207, 8]],
    [[120, 202], [205, 391]],
    [[138, 131], [279, 244]],
    [[53, 94], [138, 299]],
    [[22, 24], [351, 317]],
]


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_score_and_exact_tests_equal_statsmodels_and_scipy(n1, n2, data):
    from scipy.stats import fisher_exact
    from statsmodels.stats.proportion import proportions_ztest

    k1, k2 = data.draw(st.integers(0, n1)), data.draw(st.integers(0, n2))
    exact = fisher_exact([[k1, n1 - k1], [k2, n2 - k2]]).pvalue
    assert inference.two_proportions(k1, n1, k2, n2, "exact").p_value == pytest.approx(exact, rel=1e-6)
    test = inference.two_proportions(k1, n1, k2, n2)
    if 0 < k1 + k2 < n1 + n2:
        z, p = proportions_ztest([k1, k2], [n1, n2])
        assert (test.statistic, test.p_value) == pytest.approx((z, p))
    else:
        assert (test.p_value, test.note) == (1.0, "all rows agree")
    interval = inference.newcombe_difference(k1, n1, k2, n2)
    if (interval.ci_low > 0 or interval.ci_high < 0) == (test.p_value <= 0.05):
        assert (test.ci_low, test.ci_high) == (interval.ci_low, interval.ci_high)
    mid = inference.two_proportions(k1, n1, k2, n2, "exact-mid-p").p_value
    assert mid <= exact + 1e-12


def test_fishers_tea_tasting_gives_the_published_p_value():
    # Agresti (2002), section 3.5.2: 3 of 4 cups right, one-sided .243, two-sided .486
    assert round(inference.two_proportions(3, 4, 1, 4, "exact").p_value, 3) == 0.486


def test_two_proportions_over_cohorts_and_empty_samples():
    test = inference.two_proportions([3, 0, 5], [10, 0, 5], 4, [10, 10, 4], "exact")
    assert test.p_value[0] == pytest.approx(inference.two_proportions(3, 10, 4, 10, "exact").p_value)
    assert np.isnan(test.p_value[1])
    assert test.note.tolist() == ["", "no rows in the first sample", "all rows agree"]
    with pytest.raises(DataError, match="whole counts"):
        inference.two_proportions(3.5, 10, 4, 10, "exact")


@pytest.mark.parametrize("correction", [False, True])
def test_mantel_haenszel_equals_statsmodels(correction):
    from statsmodels.stats.contingency_tables import StratifiedTable

    expected = StratifiedTable(np.transpose(BERKELEY, (1, 2, 0)).astype(float))
    null = expected.test_null_odds(correction=correction)
    test = inference.mantel_haenszel(BERKELEY, correction=correction)
    assert (test.statistic, test.p_value) == pytest.approx((null.statistic, null.pvalue))
    assert test.estimate == pytest.approx(expected.oddsratio_pooled)
    assert (test.ci_low, test.ci_high) == pytest.approx(expected.oddsratio_pooled_confint())


def test_mantel_haenszel_gives_rs_result_for_berkeley():
    # R 4.2.2, mantelhaen.test(UCBAdmissions, correct = FALSE)
    test = inference.mantel_haenszel(BERKELEY)
    assert round(test.statistic, 4) == 1.5246
    assert round(test.p_value, 4) == 0.2169
    assert (round(test.estimate, 4), round(test.ci_low, 4), round(test.ci_high, 4)) == (0.9047, 0.7719, 1.0603)


def test_mantel_haenszel_of_one_table_leaves_the_odds_ratio_alone_and_labels_empty_ones():
    assert inference.mantel_haenszel([[12, 5], [6, 9]]).estimate == pytest.approx(12 * 9 / (5 * 6))
    empty = inference.mantel_haenszel([[[0, 0], [3, 4]], [[0, 0], [0, 0]]])
    assert np.isnan(empty.p_value)
    assert "no stratum" in empty.note
    with pytest.raises(DataError, match=r"\(strata, 2, 2\)"):
        inference.mantel_haenszel(np.ones((3, 2)))


def test_cohens_h_equals_statsmodels_and_cohens_table():
    from statsmodels.stats.proportion import proportion_effectsize

    assert inference.cohens_h(0.8, 0.6) == pytest.approx(proportion_effectsize(0.8, 0.6))
    # Cohen (1988), table 6.2.2: phi(.50) = 1.571, phi(.25) = 1.047
    assert round(inference.cohens_h(0.5, 0.25), 3) == round(1.571 - 1.047, 3)
    np.testing.assert_allclose(inference.cohens_h([0, 1], [1, 0]), [-np.pi, np.pi])
    record = inference.cohens_h_interval(56, 70, [48, 0], [80, 0])
    assert record.ci_low[0] < inference.cohens_h(0.8, 0.6) < record.ci_high[0]
    assert record.note[1] == "a sample has no rows"
    with pytest.raises(DataError, match="p1"):
        inference.cohens_h(1.2, 0.5)


def test_discordant_odds_ratio_agrees_with_the_exact_test():
    from scipy.stats import binomtest

    record = inference.discordant_odds_ratio(12, 4)
    low, high = binomtest(12, 16).proportion_ci(0.95, "exact")
    assert (record.estimate, record.ci_low, record.ci_high) == pytest.approx((3, low / (1 - low), high / (1 - high)))
    ends = inference.discordant_odds_ratio([5, 0, 0], [0, 5, 0])
    np.testing.assert_array_equal(ends.estimate, [np.inf, 0, np.nan])
    assert (ends.ci_high[0], ends.ci_low[1]) == (np.inf, 0)
    assert ends.note.tolist() == ["", "", "no discordant pairs"]


def test_cliffs_delta_counts_dominance():
    rng = np.random.default_rng(0)
    a, b = np.round(rng.normal(0.5, 1, 30), 1), np.round(rng.normal(0, 1, 25), 1)
    record = inference.cliffs_delta(a, b)
    assert record.estimate == pytest.approx(np.sign(a[:, None] - b).mean())
    assert -1 < record.ci_low < record.estimate < record.ci_high < 1
    assert inference.cliffs_delta(a, []).note == "a sample has no values"


def test_newcombes_p_value_and_interval_never_disagree() -> None:
    rng = np.random.default_rng(0)
    n1, n2 = rng.integers(1, 60, 2000), rng.integers(1, 600, 2000)
    rate = rng.random(2000)
    k1, k2 = rng.binomial(n1, rate), rng.binomial(n2, np.clip(rate + rng.normal(0, 0.1, 2000), 0, 1))
    for level in (0.9, 0.95, 0.999):
        test = inference.two_proportions(k1, n1, k2, n2, method="newcombe", level=level)
        outside = (test.ci_low > 1e-9) | (test.ci_high < -1e-9)
        assert (outside == (test.p_value < 1 - level)).all()
    swapped = inference.two_proportions(k2, n2, k1, n1, method="newcombe")
    assert_allclose(swapped.p_value, test.p_value, rtol=1e-8)
    assert_allclose(swapped.statistic, -test.statistic, atol=1e-9)
    assert inference.two_proportions(0, 9, 0, 9, method="newcombe").p_value == 1


@pytest.mark.parametrize("method", ["score", "newcombe", "exact", "exact-mid-p"])
def test_intervals_of_two_proportions_hold_0_exactly_where_the_test_does_not_reject(method):
    k1, k2 = (k.ravel() for k in np.meshgrid(np.arange(31), np.arange(19)))
    for level in (0.95, 0.8):
        test = inference.two_proportions(k1, 30, k2, 18, method, level)
        excludes = (test.ci_low > 0) | (test.ci_high < 0)
        assert (excludes == (test.p_value <= 1 - level)).all()
        assert ((test.ci_low <= test.estimate) & (test.estimate <= test.ci_high)).all()
        assert 0.2 < excludes.mean() < 0.9


def test_intervals_of_the_common_odds_ratio_hold_1_exactly_where_the_test_does_not_reject():
    drawn = np.random.default_rng(8).integers(1, 14, (400, 2, 2, 2))
    tests = [inference.mantel_haenszel(tables, correction=i % 2 == 0) for i, tables in enumerate(drawn)]
    assert all((t.ci_low > 1 or t.ci_high < 1) == (t.p_value <= 0.05) for t in tests)
    assert {t.p_value <= 0.05 for t in tests} == {True, False}
