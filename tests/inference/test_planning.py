"""Power, rows and detectable differences against statsmodels, published tables and simulation."""

import numpy as np
import pytest

from dfevals import inference
from dfevals.exceptions import DataError


def test_power_of_t_tests_equals_statsmodels():
    from statsmodels.stats.power import TTestIndPower, TTestPower

    for n, d in [(10, 0.5), (30, 0.5), (200, 0.2)]:
        paired = inference.power("mean", n=n, difference=d, sd=1)
        assert paired.power == pytest.approx(TTestPower().power(d, n, 0.05))
        unpaired = inference.power("mean", n=n, difference=d, sd=2, paired=False, ratio=1.5)
        assert unpaired.power == pytest.approx(TTestIndPower().power(d / 2, n, 0.05, ratio=1.5))
    assert inference.power("mean", difference=0.5, sd=1).n == np.ceil(
        TTestPower().solve_power(0.5, power=0.8, alpha=0.05)
    )
    mdd = inference.power("mean", n=30, sd=3, power=0.9).difference
    assert mdd == pytest.approx(3 * TTestPower().solve_power(nobs=30, power=0.9, alpha=0.05), rel=1e-4)


def test_power_of_two_rates_equals_statsmodels():
    from statsmodels.stats.proportion import power_proportions_2indep

    expected = power_proportions_2indep(0.1, 0.6, 200, return_results=False)
    plan = inference.power("proportion", n=200, difference=0.1, baseline=0.6, paired=False)
    assert plan.power == pytest.approx(expected, abs=1e-6)
    # Fleiss, Levin & Paik (2003), table A.4, without continuity correction: .60 against .70, power .80: 356 a sample
    rows = inference.power("proportion", difference=0.1, baseline=0.6, paired=False)
    assert (rows.n, rows.n_total) == (356, 712)


def test_rows_of_mcnemar_equal_connors_formula_and_reach_their_power():
    z, d, psi = 1.959963985, 0.05, 0.15
    expected = (z * np.sqrt(psi) + 0.841621234 * np.sqrt(psi - d**2)) ** 2 / d**2
    plan = inference.power("proportion", difference=d, discordance=psi)
    assert plan.n == np.ceil(expected)
    draws = np.random.default_rng(0).multinomial(int(plan.n), [(psi + d) / 2, (psi - d) / 2, 1 - psi], size=20_000)
    power = (inference.mcnemar(draws[:, 0], draws[:, 1], "chi2").p_value <= 0.05).mean()
    assert power == pytest.approx(0.8, abs=0.015)


@pytest.mark.parametrize("paired", [True, False])
def test_power_of_delong_is_near_the_simulated_one(paired):
    from scipy.special import ndtri

    rng, n, reps = np.random.default_rng(1), 200, 1500
    y = np.tile(np.arange(n) < n // 2, reps)
    shift = np.sqrt(2) * ndtri([0.8, 0.9])
    shared = rng.normal(size=n * reps) if paired else 0
    a, b = (np.sqrt(0.5) * shared + np.sqrt(0.5 if paired else 1) * rng.normal(size=n * reps) + s * y for s in shift)
    groups = np.repeat(np.arange(reps), n)
    if paired:
        p = inference.delong_by_group(groups, y, a, b).p_value
    else:
        rows = [slice(i * n, (i + 1) * n) for i in range(reps)]
        p = np.array([inference.delong_unpaired(y[r], a[r], y[r], b[r]).p_value for r in rows])
    # the correlation of two AUCs of normal scores correlated .5 is a little less, Hanley & McNeil (1983), table 1
    plan = inference.power("auc", n=n, difference=0.1, baseline=0.8, paired=paired, correlation=0.45)
    assert plan.power == pytest.approx((p <= 0.05).mean(), abs=0.05)


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        ("proportion", {"discordance": 0.2}),
        ("proportion", {"baseline": 0.7, "paired": False, "ratio": 2.0}),
        ("mean", {"sd": 0.4}),
        ("mean", {"sd": 0.4, "paired": False}),
        ("auc", {"baseline": 0.8, "prevalence": 0.2}),
        ("auc", {"baseline": 0.8, "paired": False}),
    ],
)
def test_the_three_answers_agree(kind, inputs):
    n = np.array([200, 1000, 40_000])
    mdd = inference.power(kind, n=n, **inputs)
    assert (np.diff(mdd.difference) < 0).all()
    back = inference.power(kind, n=n, difference=mdd.difference, **inputs)
    np.testing.assert_allclose(back.power, 0.8, atol=1e-6)
    rows = inference.power(kind, difference=mdd.difference, **inputs)
    np.testing.assert_allclose(rows.n, n, atol=1)


def test_clusters_cost_their_design_effect():
    plain = inference.power("proportion", n=1000, discordance=0.2)
    clustered = inference.power("proportion", n=1000 * 1.9, discordance=0.2, cluster_size=10, icc=0.1)
    assert clustered.design_effect == pytest.approx(1.9)
    assert clustered.difference == pytest.approx(plain.difference)
    # Donner & Klar (2000): clusters of 100 with an icc of .01 nearly double the rows
    assert inference.design_effect(100, 0.01) == pytest.approx(1.99)


def test_what_cannot_be_planned_says_why():
    impossible = inference.power("proportion", difference=0.2, discordance=0.1)
    assert np.isnan(impossible.n)
    assert "does not fit" in impossible.note
    small = inference.power("proportion", n=[5, 500], discordance=0.1)
    assert np.isnan(small.difference[0])
    assert small.note.tolist() == ["even the largest possible difference needs more rows", ""]
    with pytest.raises(DataError, match="discordance is needed"):
        inference.power("proportion", n=100)
    with pytest.raises(DataError, match="leave out"):
        inference.power("mean", n=100, difference=1, power=0.8, sd=1)
    with pytest.raises(DataError, match="give n"):
        inference.power("mean", sd=1)
    with pytest.raises(DataError, match="Did you mean 'proportion'"):
        inference.power("proportions", n=1)
    with pytest.raises(DataError, match="icc"):
        inference.power("mean", n=100, sd=1, icc=2)
