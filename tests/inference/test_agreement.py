"""Agreement coefficients against scikit-learn, statsmodels and the worked examples of their authors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dfevals import inference
from dfevals.exceptions import DataError

NAN = np.nan
# Krippendorff (2011), "Computing Krippendorff's alpha-reliability", section C: four observers, twelve units
FOUR_OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)
# Fleiss' example as in Wikipedia, "Fleiss' kappa": 14 raters, 10 units, 5 categories, kappa .210
FOURTEEN_RATERS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


@pytest.mark.parametrize(
    ("level", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_alpha_gives_krippendorffs_worked_example(level, published):
    record = inference.krippendorff_alpha(FOUR_OBSERVERS, level)
    assert round(record.estimate, 3) == published
    assert record.n == 11
    assert record.ci_low < record.estimate < record.ci_high < 1


def test_alpha_gives_krippendorffs_examples_of_two_observers():
    # ibid., section A (binary, ten units): .095; section B (nominal, twelve units): .692
    first = [[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]
    assert round(inference.krippendorff_alpha(first).estimate, 3) == 0.095
    second = [list("aabbdcccedda"), list("babbbccceddd")]
    assert round(inference.krippendorff_alpha(second).estimate, 3) == 0.692


def plain_alpha(ratings, distance):
    """Krippendorff's alpha from its definition, pair by pair."""
    units = [column[~np.isnan(column)] for column in ratings.T]
    units = [unit for unit in units if unit.size > 1]
    pooled = np.concatenate(units)
    within = sum(sum(distance(x, y) for x in unit for y in unit) / (unit.size - 1) for unit in units)
    across = sum(distance(x, y) for x in pooled for y in pooled) / (pooled.size - 1)
    return 1 - within / across


@given(arrays(np.float64, (4, 9), elements=st.sampled_from([1.0, 2.0, 4.0, 7.0, NAN])))
def test_alpha_equals_its_definition(ratings):
    record = inference.krippendorff_alpha(ratings, "interval")
    if np.isnan(record.estimate):
        assert record.note in ("no unit has two ratings", "all ratings are alike")
        return
    assert record.estimate == pytest.approx(plain_alpha(ratings, lambda x, y: (x - y) ** 2))
    nominal = inference.krippendorff_alpha(ratings).estimate
    assert nominal == pytest.approx(plain_alpha(ratings, lambda x, y: x != y))
    ratio = inference.krippendorff_alpha(ratings, "ratio").estimate
    assert ratio == pytest.approx(plain_alpha(ratings, lambda x, y: ((x - y) / (x + y)) ** 2))
    assert inference.krippendorff_alpha(np.exp(ratings), "ordinal").estimate == pytest.approx(
        inference.krippendorff_alpha(ratings, "ordinal").estimate
    )


def test_alpha_takes_text_with_missing_ratings_and_refuses_it_where_numbers_are_needed():
    text = [["a", "b", None, "c"], ["a", "b", "c", "a"], ["a", NAN, "c", "c"]]
    numbers = [[0, 1, NAN, 2], [0, 1, 2, 0], [0, NAN, 2, 2]]
    assert inference.krippendorff_alpha(text).estimate == pytest.approx(inference.krippendorff_alpha(numbers).estimate)
    with pytest.raises(DataError, match="nominal"):
        inference.krippendorff_alpha(text, "ordinal")
    with pytest.raises(DataError, match="negative"):
        inference.krippendorff_alpha([[-1, 2], [1, 2]], "ratio")
    with pytest.raises(DataError, match="Did you mean 'ordinal'"):
        inference.krippendorff_alpha(numbers, "ordnal")


def test_alpha_labels_what_has_no_answer():
    assert inference.krippendorff_alpha([[1, 1], [1, 1]]).note == "all ratings are alike"
    assert inference.krippendorff_alpha([[1, NAN], [NAN, 1]]).note == "no unit has two ratings"
    perfect = inference.krippendorff_alpha([[1, 2, 3], [1, 2, 3]])
    assert perfect.estimate == 1.0
    assert np.isnan(perfect.ci_low)
    assert "no interval" in perfect.note


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_kappa_equals_scikit_learn_and_statsmodels(weights):
    from sklearn.metrics import cohen_kappa_score
    from statsmodels.stats.inter_rater import cohens_kappa

    rng = np.random.default_rng(7)
    a = rng.integers(0, 4, 120)
    b = np.where(rng.random(120) < 0.6, a, rng.integers(0, 4, 120))
    test = inference.cohen_kappa(a, b, weights)
    assert test.estimate == pytest.approx(cohen_kappa_score(a, b, weights=weights))
    table = np.bincount(a * 4 + b, minlength=16).reshape(4, 4)
    expected = cohens_kappa(table, wt=weights)
    assert test.statistic == pytest.approx(expected.z_value)
    assert test.p_value == pytest.approx(expected.pvalue_two_sided)
    # the interval is not Wald's, but of its width
    assert test.ci_high - test.ci_low == pytest.approx(expected.kappa_upp - expected.kappa_low, rel=0.15)


def test_kappa_gives_the_published_example():
    # Fleiss, Levin & Paik (2003), table 18.1: two diagnosticians, three categories, kappa .68, test of 0: se .076
    table = np.array([[75, 1, 4], [5, 4, 1], [0, 0, 10]])
    a, b = (np.repeat(index, table.ravel()) for index in np.divmod(np.arange(9), 3))
    test = inference.cohen_kappa(a, b)
    assert round(test.estimate, 2) == 0.68
    assert round(test.estimate / test.statistic, 3) == 0.076


def test_kappa_with_text_missing_labels_and_given_order():
    a, b = ["low", "mid", "high", None, "mid", "low"], ["low", "high", "high", "low", NAN, "mid"]
    test = inference.cohen_kappa(a, b, "linear", labels=["low", "mid", "high"])
    numbers = inference.cohen_kappa([0, 1, 2, 0], [0, 2, 2, 1], "linear")
    assert (test.n, test.estimate) == (4, pytest.approx(numbers.estimate))
    with pytest.raises(DataError, match="'mid'"):
        inference.cohen_kappa(a, b, labels=["low", "high"])
    with pytest.raises(DataError, match="same length"):
        inference.cohen_kappa([1], [1, 2])


def test_kappa_labels_what_has_no_answer():
    same = inference.cohen_kappa([1, 1], [1, 1])
    assert np.isnan(same.estimate)
    assert "one and the same" in same.note
    assert inference.cohen_kappa([NAN], [1.0]).note == "no rows rated by both"


def test_fleiss_kappa_gives_the_published_example_and_equals_statsmodels():
    from statsmodels.stats.inter_rater import fleiss_kappa

    test = inference.fleiss_kappa(FOURTEEN_RATERS)
    assert round(test.estimate, 3) == 0.210
    assert test.estimate == pytest.approx(fleiss_kappa(FOURTEEN_RATERS))
    assert test.ci_low < test.estimate < test.ci_high
    assert test.n == 10


def test_fleiss_kappa_of_two_raters_is_near_alpha_and_ragged_counts_are_refused():
    rng = np.random.default_rng(1)
    a = rng.integers(0, 3, 2000)
    b = np.where(rng.random(2000) < 0.5, a, rng.integers(0, 3, 2000))
    counts = np.eye(3)[a] + np.eye(3)[b]
    assert inference.fleiss_kappa(counts).estimate == pytest.approx(
        inference.krippendorff_alpha([a, b]).estimate, abs=0.001
    )
    with pytest.raises(DataError, match="krippendorff_alpha"):
        inference.fleiss_kappa([[2, 1], [1, 1]])
    assert inference.fleiss_kappa([[3, 0], [3, 0]]).note == "all ratings are of one category"


def test_alpha_of_three_units_stays_within_its_range_and_says_so():
    record = inference.krippendorff_alpha([[1, 2, 3], [2, 1, 3]])
    assert record.ci_low == -1.0
    assert record.note == "too few units: 3"
    opposed = inference.krippendorff_alpha([[1, 2] * 40, [2, 1] * 39 + [1, 2]])
    assert -1 <= opposed.ci_low <= opposed.estimate < opposed.ci_high
    assert opposed.note == ""


def test_intervals_of_kappa_hold_0_exactly_where_the_test_does_not_reject():
    drawn = np.random.default_rng(3)
    found = []
    for n in (12, 25, 60):
        for _ in range(80):
            a = drawn.integers(0, 3, n)
            b = np.where(drawn.random(n) < 0.3, a, drawn.integers(0, 3, n))
            counts = np.stack([(np.stack([a, b]) == k).sum(axis=0) for k in range(3)], axis=1)
            found += [inference.cohen_kappa(a, b), inference.fleiss_kappa(counts)]
    assert all((t.ci_low > 0 or t.ci_high < 0) == (t.p_value <= 0.05) for t in found)
    assert all(t.ci_low <= t.estimate <= t.ci_high for t in found)
    assert {t.p_value <= 0.05 for t in found} == {True, False}
