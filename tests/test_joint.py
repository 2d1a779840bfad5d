"""Joint counts of two models: the same as counting rows, additive, and as good as repeated rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from dfevals.analyses.compare.aligned import Pair, align, contenders
from dfevals.cohorts import resolve
from dfevals.exceptions import MetricError
from dfevals.tally.joint import JointTally, distinct_of


def judged(n: int = 400, classes: int = 3, seed: int = 0) -> pd.DataFrame:
    """Labels and two models' predictions, cohorts, weights and clusters."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    frame = pd.DataFrame({"y": y, "g": rng.integers(0, 4, n).astype(str), "unit": rng.integers(0, n // 5, n)})
    for name, skill in (("a", 0.7), ("b", 0.55)):
        frame[name] = np.where(rng.random(n) < skill, y, rng.integers(0, classes, n))
    frame["times"], frame["weight"] = rng.integers(0, 4, n), rng.random(n)
    return frame


def joint(frame: pd.DataFrame, classes: int, **roles: object) -> JointTally:
    """The joint tally of models a and b per g."""
    task = "binary" if classes == 2 else "multiclass"
    evaluation = frame.evals(y_true="y", y_pred={"a": "a", "b": "b"}, task=task, labels=list(range(classes)), **roles)
    bound = evaluation._bound
    return Pair(align(bound, contenders(bound)), resolve("g", frame)).joint


def entries(tally: JointTally, value: str = "rows") -> dict[tuple[int, ...], float]:
    """Every combination and its number."""
    columns = {name: getattr(tally, name) for name in ("cohort", "y_true", "first", "second", value)}
    return pd.DataFrame(columns).groupby(["cohort", "y_true", "first", "second"])[value].sum().to_dict()


@pytest.mark.parametrize("classes", [2, 3, 40])
def test_counts_are_those_of_a_cross_table(classes: int) -> None:
    frame = judged(classes=classes)
    counted = (
        frame.assign(g=frame["g"].astype(int)).groupby(["g", "y", "a", "b"]).agg(n=("y", "size"), w=("weight", "sum"))
    )
    found = joint(frame, classes, sample_weight="weight")
    assert entries(found) == counted["n"].to_dict()
    share = pd.Series(entries(found, "weight")) / found.weight.sum()  # only ratios of importance weights matter
    assert share.to_dict() == pytest.approx((counted["w"] / counted["w"].sum()).to_dict())


def test_sorted_combinations_are_those_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = judged(classes=5)
    dense = joint(frame, 5, sample_weight="weight")
    monkeypatch.setattr("dfevals.engines.pairs.DENSE", 10)
    monkeypatch.setattr("dfevals.tally.joint.DENSE", 10)
    sparse = joint(frame, 5, sample_weight="weight")
    for value in ("rows", "weight", "square"):
        assert entries(sparse, value) == pytest.approx(entries(dense, value))


def test_parts_add_up_and_regroup_to_the_whole() -> None:
    frame = judged()
    for roles in ({}, {"sample_weight": "times", "weight_kind": "frequency"}, {"cluster": "unit"}):
        whole = joint(frame, 3, **roles)
        both = joint(frame[:150], 3, **roles) + joint(frame[150:], 3, **roles)
        assert entries(both, "square") == pytest.approx(entries(whole, "square"))
        assert both.rows.sum() == whole.rows.sum()
        if roles.get("cluster"):
            names = {(c, str(whole.labels[u])) for c, u in zip(whole.cohort, whole.cluster, strict=True)}
            assert names == {(c, str(both.labels[u])) for c, u in zip(both.cohort, both.cluster, strict=True)}
        overall = whole.regroup(np.zeros(4, np.int64), 1)
        table = pd.crosstab(frame["y"], [frame["a"], frame["b"]])
        if not roles:
            assert {key[1:]: v for key, v in entries(overall).items()} == {
                (y, a, b): n for (a, b), column in table.items() for y, n in column.items() if n
            }
        kept = whole.regroup(np.array([0, -1, -1, 0]), 1)
        assert kept.rows.sum() == whole.rows[np.isin(whole.cohort, [0, 3])].sum()
        moved = whole.relabel(np.array([2, 0, 3]), 4)
        assert sorted(zip(moved.first, moved.rows, strict=True)) == sorted(
            zip(np.array([2, 0, 3])[whole.first], whole.rows, strict=True)
        )


def test_joint_codes_too_wide_for_an_integer_are_numbered_on_the_way() -> None:
    rng = np.random.default_rng(1)
    columns = [rng.integers(0, 3, 200) for _ in range(4)]
    first, place = distinct_of([c * (2**39) for c in columns], [2**41] * 4)
    expected, inverse = np.unique(np.stack(columns), axis=1, return_inverse=True)
    assert (np.stack(columns)[:, first] == expected).all()
    assert (place == inverse.ravel()).all()


@pytest.mark.parametrize("classes", [2, 5])
def test_a_frequency_is_as_good_as_repeated_rows(classes: int) -> None:
    frame = judged(classes=classes)
    repeated = frame.loc[frame.index.repeat(frame["times"])].reset_index(drop=True)
    task = "binary" if classes == 2 else "multiclass"
    roles = {"y_true": "y", "y_pred": {"a": "a", "b": "b"}, "task": task}
    once = frame.evals(**roles, sample_weight="times", weight_kind="frequency")
    often = repeated.evals(**roles)
    metrics = ["accuracy", "recall", "f1", "mcc", "balanced_accuracy", "cohen_kappa"]
    for ask in (
        lambda ev: ev.compare("a", "b", by="g", metrics=metrics).frame,
        lambda ev: ev.compare("a", "b", by="g", metrics=["accuracy", "f1"], test="bootstrap", n_resamples=50).frame,
        lambda ev: ev.power("a", "b", by="g", metrics=metrics).frame,
        lambda ev: ev.compare("a", "b", by="g", metrics=["accuracy"]).discordant,
    ):
        pd.testing.assert_frame_equal(ask(once), ask(often), rtol=1e-9)


def test_many_classes_are_compared_by_counts() -> None:
    frame = judged(6000, 3000)
    found = frame.evals(y_true="y", y_pred={"a": "a", "b": "b"}, task="multiclass").compare(
        "a", "b", metrics=["accuracy", "error_rate"], test="mcnemar"
    )
    right_a, right_b = frame["a"] == frame["y"], frame["b"] == frame["y"]
    b, c = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    tail = binom.cdf(min(b, c), b + c, 0.5) + binom.cdf(min(b, c) - 1, b + c, 0.5)
    row, errors = (found.frame.iloc[i] for i in (0, 1))
    assert (row["value_a"], row["value_b"]) == pytest.approx((right_a.mean(), right_b.mean()))
    assert row["p_value"] == pytest.approx(tail, rel=1e-9, abs=1e-300)
    assert errors["difference"] == pytest.approx(-row["difference"])
    assert found.discordant.loc[0, ["fixed", "broken"]].tolist() == [b, c]


def test_a_comparison_that_needs_too_many_cells_is_refused() -> None:
    evaluation = judged(300, 9000).evals(y_true="y", y_pred={"a": "a", "b": "b"}, task="multiclass", labels=range(9000))
    with pytest.raises(MetricError, match="9,000 classes"):
        evaluation.compare("a", "b", metrics="mcc")
