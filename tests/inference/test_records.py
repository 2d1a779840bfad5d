"""Records are frozen, readable and light to import."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from dfevals import inference
from dfevals.exceptions import DataError
from dfevals.inference.levels import check_level, check_probability, normal_quantile


def test_records_are_frozen_and_readable():
    record = inference.wilson(8, 10)
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.estimate = 1.0
    assert repr(record).startswith("Estimate(estimate=0.8, ci_low=0.4902, ci_high=0.9433, level=0.95, method='Wilson'")
    assert "note='no discordant pairs'" in repr(inference.mcnemar(0, 0))
    assert len(repr(inference.mcnemar(np.arange(1000), 5))) < 600
    assert "\n" not in repr(inference.nemenyi(np.arange(12.0).reshape(4, 3)))
    ragged = inference.nemenyi(np.random.default_rng(0).normal(size=(40, 5)) + [0, 0, 0, 9, 9])
    assert "groups=[(" in repr(ragged)


def test_every_test_has_the_same_fields():
    names = {"statistic", "p_value", "estimate", "ci_low", "ci_high", "df", "method", "n", "note"}
    x, y = np.arange(12.0), np.arange(12.0)[::-1] ** 2
    labels = np.arange(12) % 2
    tests = [
        inference.mcnemar(3, 4),
        inference.cochrans_q(np.eye(3)),
        inference.delong(labels, x, y),
        inference.delong_unpaired(labels, x, labels, y),
        inference.paired_ttest(x, y),
        inference.welch_ttest(x, y),
        inference.wilcoxon(x, y),
        inference.sign_flip_permutation(x, y),
        inference.tost(x, y, 1),
        inference.corrected_resampled_ttest(x - y, 90, 10),
        inference.bayesian_correlated_ttest(x - y, 90, 10),
        inference.five_by_two_cv_ttest((x - y)[:10].reshape(5, 2)),
        inference.five_by_two_cv_ftest((x - y)[:10].reshape(5, 2)),
        inference.anova_repeated(np.column_stack([x, y])),
        inference.friedman(np.column_stack([x, y])),
        inference.nemenyi(np.column_stack([x, y])),
        inference.two_proportions(1, 2, 3, 4),
        inference.mantel_haenszel([[3, 4], [5, 6]]),
        inference.cohen_kappa(labels, labels[::-1]),
        inference.fleiss_kappa([[2, 1], [1, 2]]),
    ]
    for test in tests:
        assert names <= {field.name for field in dataclasses.fields(test)}
        assert test.method


def test_all_names_exist_and_importing_them_loads_no_scipy():
    assert all(hasattr(inference, name) for name in inference.__all__)
    code = "import sys, dfevals.inference; print([m for m in sys.modules if m.split('.')[0] in ('scipy', 'sklearn')])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


Y = [0, 0, 1, 1, 0, 1]
FIRST = [0.1, 0.4, 0.5, 0.9, 0.3, float("nan")]
SECOND = [0.2, 0.1, 0.7, 0.6, 0.5, 0.4]
THREE = np.stack([FIRST, SECOND, SECOND[::-1]], axis=1)


@pytest.mark.parametrize(
    ("test", "what"),
    [
        (lambda x: inference.paired_ttest(x, SECOND), "pair"),
        (lambda x: inference.tost(x, SECOND, 0.5), "pair"),
        (lambda x: inference.wilcoxon(x, SECOND), "pair"),
        (lambda x: inference.sign_flip_permutation(x, SECOND), "pair"),
        (lambda x: inference.welch_ttest(x, SECOND), "value"),
        (lambda x: inference.roc_auc_interval(Y, x), "row"),
        (lambda x: inference.delong(Y, x, SECOND), "row"),
        (lambda x: inference.delong_unpaired(Y, SECOND, Y, x), "row"),
        (lambda x: inference.corrected_resampled_ttest(x, 90, 10), "fold"),
        (lambda x: inference.bayesian_correlated_ttest(x, 90, 10), "fold"),
        (lambda x: inference.friedman(np.column_stack([x, THREE[:, 1:]])), "block"),
        (lambda x: inference.nemenyi(np.column_stack([x, THREE[:, 1:]])), "block"),
        (lambda x: inference.anova_repeated(np.column_stack([x, THREE[:, 1:]])), "block"),
        (lambda x: inference.cochrans_q(np.column_stack([np.where(np.isnan(x), x, np.round(x)), Y, Y[::-1]])), "row"),
    ],
)
def test_what_is_left_out_is_said_beside_other_notes(test, what):
    found, complete = test(FIRST), test([*FIRST[:-1], 0.8])
    said = f"1 {what} with missing values left out"
    assert str(found.note).endswith(said)
    assert "left out" not in str(complete.note)


def test_what_is_left_out_is_said_in_the_group_that_it_concerns():
    groups = [0, 0, 0, 1, 1, 1]
    found = inference.delong_by_group(groups, [0, 1, 1, 0, 0, 1], FIRST, SECOND)
    assert "left out" not in found.note[0]
    assert found.note[1].endswith("; 1 row with missing values left out")
    pairs = inference.paired_ttest(np.tile(FIRST, (2, 1)), [SECOND, [float("nan")] * 2 + SECOND[2:]])
    assert [str(note) for note in pairs.note] == [
        "1 pair with missing values left out",
        "3 pairs with missing values left out",
    ]


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 1 - 1e-9])
def test_levels_from_one_half_are_levels(level: float) -> None:
    assert check_level(level) == level


@pytest.mark.parametrize(
    ("level", "hint"),
    [
        (1e-9, None), (0.05, "0.95"), (0.1, "0.9"), (0.49, "0.51"), (0, None), (1, None), (1.0, None), (-1, None), (95, "0.95"),
        (99.9, "0.999"), (10**400, None), (float("nan"), None), ("x", None), (None, None), ([0.9], None),
    ],
    ids=lambda value: f"{value!r:.9}",
)  # fmt: skip
def test_what_is_no_level_is_refused_with_what_was_meant(level: object, hint: str | None) -> None:
    with pytest.raises(DataError, match=r"must be at least 0\.5 and below 1, such as 0\.95") as failed:
        check_level(level)  # type: ignore[arg-type]
    assert ("Did you mean" in str(failed.value)) == (hint is not None)
    assert hint is None or f"Did you mean {hint}?" in str(failed.value)


def test_probabilities_lie_between_the_ends() -> None:
    assert check_probability(0.05, "alpha") == 0.05
    for wrong in (0, 1, 5, "x", 10**5000):
        with pytest.raises(DataError, match=r"alpha=.* must lie strictly between 0 and 1"):
            check_probability(wrong, "alpha")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="huge number"):
        check_level(10**5000)
    assert normal_quantile(0.2) == pytest.approx(0.2533471, abs=1e-7)
