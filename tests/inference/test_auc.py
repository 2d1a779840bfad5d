"""AUC intervals and DeLong's tests against pROC, scikit-learn and plain implementations."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dfevals import inference
from dfevals.exceptions import DataError

ASAH = json.loads((Path(__file__).parent / "fixtures" / "proc_asah.json").read_text())
DATA = {name: np.array(values) for name, values in ASAH["data"].items()}


@pytest.mark.parametrize(("a", "b"), [("s100b", "ndka"), ("s100b", "wfns"), ("ndka", "wfns")])
def test_paired_delong_equals_proc(a, b):
    test = inference.delong(DATA["poor"], DATA[a], DATA[b])
    found = [test.statistic, test.p_value, test.ci_low, test.ci_high, test.auc_a, test.auc_b]
    np.testing.assert_allclose(found, ASAH["results"][f"paired {a} {b}"], rtol=1e-10)
    assert test.n == 113


@pytest.mark.parametrize("score", ["s100b", "ndka"])
def test_unpaired_delong_equals_proc(score):
    men = DATA["male"] == 1
    samples = [DATA["poor"][men], DATA[score][men], DATA["poor"][~men], DATA[score][~men]]
    test = inference.delong_unpaired(*samples)
    found = [test.statistic, test.df, test.p_value, test.auc_a, test.auc_b]
    np.testing.assert_allclose(found, ASAH["results"][f"unpaired men women {score}"], rtol=1e-10)


def test_unpaired_delong_of_a_perfect_and_a_missing_sample():
    perfect = ([0, 0, 1, 1], [1, 2, 3, 4])
    assert inference.delong_unpaired(*perfect, *perfect).note == "no variation in either sample"
    one = inference.delong_unpaired(*perfect, [1, 1], [1, 2])
    assert (np.isnan(one.p_value), one.note) == (True, "one class")


@pytest.mark.parametrize("score", ["s100b", "ndka", "wfns"])
def test_delong_interval_equals_proc(score):
    record = inference.roc_auc_interval(DATA["poor"], DATA[score], method="delong")
    found = [record.ci_low, record.estimate, record.ci_high]
    np.testing.assert_allclose(found, ASAH["results"][f"ci.auc {score}"], rtol=1e-10)


def test_the_example_of_procs_manual_to_its_printed_digits():
    # pROC's manual, ?roc.test: s100b against wfns on aSAH
    test = inference.delong(DATA["poor"], DATA["s100b"], DATA["wfns"])
    assert (round(test.statistic, 3), round(test.p_value, 5)) == (-2.209, 0.02718)
    assert (round(test.auc_a, 4), round(test.auc_b, 4)) == (0.7314, 0.8237)


def plain_variance(y, a, b):
    """DeLong's variance of AUC(a) − AUC(b), straight from the definition."""

    def kernel(score):
        pos, neg = score[y == 1][:, None], score[y == 0][None, :]
        return (pos > neg) + 0.5 * (pos == neg)

    difference = kernel(a) - kernel(b)
    return difference.mean(1).var(ddof=1) / (y == 1).sum() + difference.mean(0).var(ddof=1) / (y == 0).sum()


def test_delong_by_group_equals_the_definition_with_ties_in_every_group():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(4)
    groups = rng.integers(0, 6, 900)
    y = rng.integers(0, 2, 900)
    a, b = (np.round(rng.normal(size=900) + y, 1) for _ in range(2))
    test = inference.delong_by_group(groups, y, a, b)
    for group in range(6):
        rows = groups == group
        assert test.auc_a[group] == pytest.approx(roc_auc_score(y[rows], a[rows]), abs=1e-12)
        assert test.auc_b[group] == pytest.approx(roc_auc_score(y[rows], b[rows]), abs=1e-12)
        z = test.estimate[group] / np.sqrt(plain_variance(y[rows], a[rows], b[rows]))
        assert test.statistic[group] == pytest.approx(z, rel=1e-9)
        alone = inference.delong(y[rows], a[rows], b[rows])
        assert alone.p_value == pytest.approx(test.p_value[group], rel=1e-12)


def test_groups_without_an_answer_say_why_and_negative_codes_are_left_out():
    test = inference.delong_by_group(
        [0, 0, 1, 1, 1, 2, 2, 2, 2, -1],
        [1, 1, 1, 0, 0, 1, 1, 0, 0, 1],
        [1, 2, 1, 2, 3, 4, 3, 2, 1, 9],
        [1, 2, 1, 2, 4, 8, 6, 4, 2, 9],
        n_groups=4,
    )
    assert test.note.tolist() == [
        "one class",
        "a single row of one class",
        "both scores rank all pairs alike",
        "no rows",
    ]
    np.testing.assert_array_equal(test.p_value, [np.nan, np.nan, 1.0, np.nan])
    assert test.n.tolist() == [2, 3, 4, 0]


def test_rows_with_a_missing_score_are_left_out_for_both():
    y, a, b = DATA["poor"], DATA["s100b"].copy(), DATA["ndka"]
    a[[3, 7]] = np.nan
    keep = ~np.isnan(a)
    test, expected = inference.delong(y, a, b), inference.delong(y[keep], a[keep], b[keep])
    assert test.n == 111
    assert test.p_value == expected.p_value


@given(st.integers(0, 10**6))
def test_delong_is_antisymmetric_and_ignores_monotone_transforms(seed):
    rng = np.random.default_rng(seed)
    y = np.arange(30) % 3 == 0
    a, b = rng.integers(-4, 5, size=(2, 30)).astype(float)
    test, swapped = inference.delong(y, a, b), inference.delong(y, b, a)
    transformed = inference.delong(y, np.exp(a), b**3)
    assert test.estimate == pytest.approx(-swapped.estimate, abs=1e-12)
    assert test.p_value == pytest.approx(swapped.p_value, nan_ok=True)
    assert test.p_value == pytest.approx(transformed.p_value, nan_ok=True)


def test_newcombe_interval_solves_its_equation():
    from scipy.optimize import brentq

    z = 1.959963984540054
    for auc, m, n in [(0.7, 20, 35), (0.95, 8, 60), (0.3, 12, 12), (1.0, 10, 15), (0.0, 10, 15)]:
        spread = (m + n) / 2 - 1

        def excess(theta, auc=auc, m=m, n=n, spread=spread):
            variance = theta * (1 - theta) / (m * n)
            variance *= 1 + spread * ((1 - theta) / (2 - theta) + theta / (1 + theta))
            return (auc - theta) ** 2 - z**2 * variance

        record = inference.newcombe_auc(auc, m, n)
        assert record.ci_low == pytest.approx(brentq(excess, 1e-12, auc - 1e-9) if auc > 0 else 0, abs=1e-8)
        assert record.ci_high == pytest.approx(brentq(excess, auc + 1e-9, 1 - 1e-12) if auc < 1 else 1, abs=1e-8)


def test_auto_interval_takes_the_envelope_only_where_few_pairs_are_inverted():
    y = np.repeat([0, 1], 6)
    few = inference.roc_auc_interval(y, [1, 2, 3, 4, 5, 7, 6, 8, 9, 10, 11, 12])
    parts = [
        inference.roc_auc_interval(y, [1, 2, 3, 4, 5, 7, 6, 8, 9, 10, 11, 12], m) for m in ("delong-logit", "newcombe")
    ]
    assert few.ci_low == min(part.ci_low for part in parts)
    assert few.ci_high == max(part.ci_high for part in parts)
    many = inference.roc_auc_interval(DATA["poor"], DATA["s100b"])
    assert many.ci_low == inference.roc_auc_interval(DATA["poor"], DATA["s100b"], "delong-logit").ci_low


def test_a_perfect_score_has_an_interval_by_default_and_a_reason_without_one():
    y, score = np.repeat([0, 1], 10), np.arange(20)
    record = inference.roc_auc_interval(y, score)
    assert record.estimate == record.ci_high == 1.0
    assert 0.6 < record.ci_low < 1
    bare = inference.roc_auc_interval(y, score, method="delong")
    assert np.isnan(bare.ci_low)
    assert "newcombe" in bare.note


def test_one_class_is_labelled_and_wrong_input_refused():
    assert inference.roc_auc_interval([1, 1, 1], [1, 2, 3]).note == "one class"
    assert np.isnan(inference.roc_auc_interval([1, 1, 1], [1, 2, 3]).estimate)
    assert inference.delong([], [], []).note == "no rows"
    with pytest.raises(DataError, match="0/1"):
        inference.delong([1, 2], [1, 2], [1, 2])
    with pytest.raises(DataError, match="equal length"):
        inference.delong([1, 0], [1, 2, 3], [1, 2, 3])
    with pytest.raises(DataError, match="Did you mean 'newcombe'"):
        inference.roc_auc_interval([1, 0], [1, 2], method="newcomb")
