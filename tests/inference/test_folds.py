"""Tests over folds and blocks against scikit-learn, mlxtend, SciPy, statsmodels and Demšar's tables."""

import numpy as np
import pytest

from dfevals import inference
from dfevals.exceptions import DataError

# Demšar (2006), JMLR 7:1-30, table 6: AUC of C4.5, C4.5+m, C4.5+cf, C4.5+m+cf on 14 data sets
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9752, 0.975],  # printed alike, but ranked 2 and 3 there
        [0.957, 0.978, 0.946, 0.970],
    ]
)


@pytest.fixture(scope="module")
def moons():
    """Scores of scikit-learn's example "Statistical comparison of models using grid search", its two best models."""
    from sklearn.datasets import make_moons
    from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
    from sklearn.svm import SVC

    x, y = make_moons(noise=0.352, random_state=1, n_samples=100)
    cv = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    rbf, linear = (cross_val_score(SVC(kernel=k), x, y, cv=cv, scoring="roc_auc") for k in ("rbf", "linear"))
    return rbf - linear


def test_corrected_t_gives_scikit_learns_example(moons):
    # printed there: "Corrected t-value: 0.750, Corrected p-value: 0.227" (one-sided)
    test = inference.corrected_resampled_ttest(moons, n_train=90, n_test=10)
    assert round(test.statistic, 3) == 0.750
    assert round(test.p_value / 2, 3) == 0.227
    assert (test.df, test.n) == (99, 100)


def test_bayesian_t_gives_scikit_learns_example(moons):
    # printed there: .773 that the first is better; with rope .01: .500, .432 (equivalent) and .068
    assert round(inference.bayesian_correlated_ttest(moons, 90, 10, rope=0).p_a, 3) == 0.773
    test = inference.bayesian_correlated_ttest(moons, 90, 10, rope=0.01)
    assert [round(p, 3) for p in (test.p_a, test.p_rope, test.p_b)] == [0.500, 0.432, 0.068]


def test_corrected_t_is_the_plain_one_without_test_rows_and_wider_with_them():
    d = np.random.default_rng(0).normal(0.1, 1, 10)
    plain = inference.paired_ttest(d, np.zeros(10))
    assert inference.corrected_resampled_ttest(d, 1e12, 1).p_value == pytest.approx(plain.p_value, rel=1e-6)
    corrected = inference.corrected_resampled_ttest(d, 90, 10)
    assert corrected.statistic == pytest.approx(plain.statistic * np.sqrt((1 / 10) / (1 / 10 + 1 / 9)))
    uneven = inference.corrected_resampled_ttest(d, np.full(10, 90), np.full(10, 10))
    assert uneven.p_value == pytest.approx(corrected.p_value)


def test_folds_that_cannot_answer_say_why():
    one = inference.corrected_resampled_ttest([0.1], 90, 10)
    assert (one.note, np.isnan(one.p_value)) == ("fewer than two folds", True)
    flat = inference.corrected_resampled_ttest([0.1, 0.1, 0.1], 90, 10)
    assert (flat.note, np.isnan(flat.p_value)) == ("constant differences", True)
    zero = inference.corrected_resampled_ttest([0.0, 0.0, 0.0], 90, 10)
    assert (zero.note, zero.p_value) == ("all differences are 0", 1.0)
    gap = inference.corrected_resampled_ttest([[0.1, np.nan, 0.2], [0.1, 0.3, 0.2]], 90, 10)
    assert gap.n.tolist() == [2, 3]
    assert inference.bayesian_correlated_ttest([0.0, 0.0], 90, 10).p_rope == 1.0
    assert np.isnan(inference.bayesian_correlated_ttest([0.1], 90, 10).p_a)
    assert inference.five_by_two_cv_ttest(np.full((5, 2), 0.1)).note == "the folds of every repeat agree"
    with pytest.raises(DataError, match="n_train"):
        inference.corrected_resampled_ttest([0.1, 0.2], 0, 10)
    with pytest.raises(DataError, match=r"\(5, 2\)"):
        inference.five_by_two_cv_ttest([0.1, 0.2])
    with pytest.raises(DataError, match="rope"):
        inference.bayesian_correlated_ttest([0.1, 0.2], 90, 10, rope=-1)


def test_five_by_two_tests_equal_mlxtend():
    from mlxtend.evaluate import combined_ftest_5x2cv, paired_ttest_5x2cv
    from sklearn.datasets import load_iris
    from sklearn.model_selection import train_test_split
    from sklearn.naive_bayes import GaussianNB
    from sklearn.tree import DecisionTreeClassifier

    x, y = load_iris(return_X_y=True)
    first, second = GaussianNB(), DecisionTreeClassifier(max_depth=1, random_state=0)
    seeds, differences = np.random.RandomState(1), np.empty((5, 2))
    for row in differences:
        split = train_test_split(x, y, test_size=0.5, random_state=seeds.randint(low=0, high=32767))
        x1, x2, y1, y2 = split
        row[0] = first.fit(x1, y1).score(x2, y2) - second.fit(x1, y1).score(x2, y2)
        row[1] = first.fit(x2, y2).score(x1, y1) - second.fit(x2, y2).score(x1, y1)
    t, p = paired_ttest_5x2cv(first, second, x, y, random_seed=1)
    test = inference.five_by_two_cv_ttest(differences)
    assert (test.statistic, test.p_value, test.df) == pytest.approx((t, p, 5))
    f, p = combined_ftest_5x2cv(first, second, x, y, random_seed=1)
    test = inference.five_by_two_cv_ftest(differences)
    assert (test.statistic, test.p_value) == pytest.approx((f, p))
    assert test.df == (10.0, 5.0)


def test_five_by_two_tests_reject_at_the_published_critical_values():
    # Dietterich (1998): |t| > 2.571 with 5 df; Alpaydın (1999): f > 4.74 with 10 and 5 df
    spread = np.array([[1.0, -1.0]] * 5)  # every repeat has variance 2
    d = spread + 0.0
    d[0] += 2.571 * np.sqrt(2) - 1
    test = inference.five_by_two_cv_ttest(d)
    assert test.statistic == pytest.approx(2.571)
    assert test.p_value == pytest.approx(0.05, abs=1e-4)
    shift = np.sqrt(4.74 * 2 - 1)
    assert inference.five_by_two_cv_ftest(spread + shift).statistic == pytest.approx(4.74)
    assert inference.five_by_two_cv_ftest(spread + shift).p_value == pytest.approx(0.05, abs=2e-4)


def test_friedman_gives_demsars_example():
    test = inference.friedman(DEMSAR, tie_correction=False)
    assert test.ranks.round(3).tolist() == [3.143, 2.000, 2.893, 1.964]
    assert round(test.statistic, 2) == 9.28
    assert round(test.f_statistic, 2) == 3.69
    assert test.f_df == (3.0, 39.0)


def test_nemenyi_gives_demsars_example_and_critical_values():
    test = inference.nemenyi(DEMSAR)
    assert round(test.critical_difference, 2) == 1.25
    assert round(inference.nemenyi(DEMSAR, alpha=0.1).critical_difference, 2) == 1.12
    # "the post-hoc test is not powerful enough to detect any significant differences" at .05
    assert (test.p_value > 0.05).all()
    assert test.groups == [(3, 1, 2, 0)]
    # table 5 of the paper: critical values for 2 to 10 classifiers
    table = {0.05: [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164],
             0.10: [1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920]}  # fmt: skip
    for alpha, values in table.items():
        for k, value in enumerate(values, start=2):
            critical = inference.nemenyi(np.arange(6 * k).reshape(6, k), alpha).critical_difference
            assert critical / np.sqrt(k * (k + 1) / 36) == pytest.approx(value, abs=0.0015)


def test_nemenyi_groups_are_the_bars_of_its_diagram():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(40, 4)) + [3, 0, 0.2, 3.1]
    test = inference.nemenyi(x)
    assert sorted(map(sorted, test.groups)) == [[0, 3], [1, 2]]
    assert (np.abs(test.estimate) > test.critical_difference).tolist() == (test.p_value < 0.05).tolist()
    worse = inference.nemenyi(-x, better="lower")
    np.testing.assert_allclose(worse.ranks, test.ranks)


def test_friedman_equals_scipy_with_ties():
    from scipy.stats import friedmanchisquare

    x = np.round(np.random.default_rng(1).normal(size=(25, 5)), 1)
    test, expected = inference.friedman(x), friedmanchisquare(*x.T)
    assert (test.statistic, test.p_value) == pytest.approx((expected.statistic, expected.pvalue))
    stack = inference.friedman(np.stack([x, -x]))
    np.testing.assert_allclose(stack.statistic, test.statistic)


def test_friedman_labels_what_it_cannot_answer():
    tied = inference.friedman(np.ones((5, 3)))
    assert (tied.p_value, tied.f_p_value, tied.note) == (1.0, 1.0, "all models are tied")
    few = inference.friedman([[1, 2, 3], [1, np.nan, 2]])
    assert (np.isnan(few.p_value), few.note, few.n) == (
        True,
        "fewer than two complete blocks; 1 block with missing values left out",
        1,
    )
    perfect = inference.friedman([[1, 2, 3]] * 6)
    assert (perfect.f_statistic, perfect.f_p_value) == (np.inf, 0.0)
    assert np.isnan(inference.nemenyi([[1, 2]]).critical_difference)
    with pytest.raises(DataError, match="k ≥ 2"):
        inference.friedman([[1], [2]])


def test_repeated_anova_equals_statsmodels():
    import pandas as pd
    from statsmodels.stats.anova import AnovaRM

    x = np.random.default_rng(5).normal(size=(12, 4)) + [0, 0.2, 0.5, 0.4]
    long = pd.DataFrame(x).melt(ignore_index=False).reset_index()
    table = AnovaRM(long, "value", "index", ["variable"]).fit().anova_table.iloc[0]
    test = inference.anova_repeated(x)
    assert (test.statistic, *test.df, test.p_value) == pytest.approx(
        (table["F Value"], table["Num DF"], table["Den DF"], table["Pr > F"])
    )


def test_repeated_anova_with_two_models_is_the_paired_t_and_epsilon_has_its_bounds():
    x = np.random.default_rng(5).normal(size=(12, 2))
    test, t = inference.anova_repeated(x), inference.paired_ttest(x[:, 0], x[:, 1])
    assert (test.statistic, test.p_value) == pytest.approx((t.statistic**2, t.p_value))
    assert test.epsilon == pytest.approx(1)
    wide = inference.anova_repeated(np.random.default_rng(6).normal(size=(15, 4)) * [1, 1, 1, 9])
    assert 1 / 3 <= wide.epsilon < 0.6
    assert wide.p_greenhouse_geisser != wide.p_value
    assert inference.anova_repeated(np.outer(np.arange(4), [1, 1, 1])).note == "all models are alike in every block"
