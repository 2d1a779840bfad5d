"""What a tally keeps of several models on the rows they share: additive, and the same as reading the rows."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.analyses.compare.gaps import Gaps, joint_needs
from dfevals.needs import Joint
from dfevals.tally import JointTally, ModelTally, Tally

ROLES: dict[str, dict[str, Any]] = {
    "plain": {},
    "importance": {"sample_weight": "weight"},
    "frequency": {"sample_weight": "times", "weight_kind": "frequency"},
    "cluster": {"cluster": "unit"},
    "cluster, weighted": {"cluster": "unit", "sample_weight": "weight"},
}


def scored(n: int = 500, seed: int = 0) -> pd.DataFrame:
    """Labels, three models' scores, cohorts, weights and clusters; some scores are missing."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    frame = pd.DataFrame({"y": y, "g": rng.integers(0, 3, n).astype(str), "unit": rng.integers(0, n // 8, n)})
    for name, skill in (("a", 0.6), ("b", 0.5), ("c", 0.4)):
        frame[name] = np.clip(0.5 + skill * (y - 0.5) + rng.normal(0, 0.15, n), 0.01, 0.99)
    frame["times"], frame["weight"] = rng.integers(1, 4, n), rng.random(n) + 0.1
    frame.loc[3:6, "b"] = np.nan
    return frame


def collected(frame: pd.DataFrame, models: str = "abc", **roles: Any) -> Tally:
    scores = {name: name for name in models}
    return frame.evals(y_true="y", y_score=scores, labels=[0, 1], **roles).collect(["accuracy", "log_loss"], by="g")


def losses(frame: pd.DataFrame, tally: ModelTally, **roles: Any) -> Gaps:
    """The log loss of the first two models."""
    evaluation = frame.evals(y_true="y", y_score={"a": "a", "b": "b"}, labels=[0, 1], **roles)
    request = collected(frame, **roles).requests[1]
    return Gaps(request, tally.parts[joint_needs(request, evaluation._bound)[0]], tally.scale)


@pytest.mark.parametrize("roles", ROLES.values(), ids=ROLES)
def test_parts_add_up(roles: dict[str, Any]) -> None:
    frame, clustered = scored(), "cluster" in roles
    whole, parts = collected(frame, **roles), collected(frame[200:], **roles) + collected(frame[:200], **roles)
    names = [("a", "b"), ("c", "b"), ("c", "a", "b")]
    for pair in names:
        one, other = (tally.shared(pair) for tally in (whole, parts))
        assert one is not None
        assert other is not None
        assert (one.left, one.lost) == (other.left, other.lost)
        assert one.left == (4 if "b" in pair else 0)
        assert totals(one.parts[Joint()]) == pytest.approx(totals(other.parts[Joint()]))
        for compared in zip(
            *(losses(frame, tally, **roles).variance(clustered) for tally in (one, other)), strict=True
        ):
            np.testing.assert_allclose(*compared, rtol=1e-8)


def totals(tally: Any) -> dict[Any, float]:
    assert isinstance(tally, JointTally)
    columns = {"cohort": tally.cohort, "y": tally.y_true, **{str(j): said for j, said in enumerate(tally.said)}}
    return pd.DataFrame({**columns, "w": tally.weight}).groupby(list(columns))["w"].sum().to_dict()


@pytest.mark.parametrize("roles", ROLES.values(), ids=ROLES)
def test_a_pair_of_three_is_the_pair_alone(roles: dict[str, Any]) -> None:
    frame, clustered = scored().dropna(), "cluster" in roles
    three, two = collected(frame, **roles), collected(frame, "bc", **roles)
    assert list(three.together) == [("a", "b", "c")]  # no row is left out, so that pairs follow from all three
    one, other = (tally.shared(("c", "b")) for tally in (three, two))
    assert one is not None
    assert other is not None
    assert totals(one.parts[Joint()]) == pytest.approx(totals(other.parts[Joint()]))
    found = [losses(frame, tally, **roles) for tally in (one, other)]
    np.testing.assert_allclose(*(gaps.values for gaps in found))
    np.testing.assert_allclose(*(gaps.variance(clustered) for gaps in found))
    np.testing.assert_allclose(*(gaps.rare() for gaps in found))


def test_moments_are_those_of_the_losses() -> None:
    frame = scored().dropna()
    tally = collected(frame).shared(("a", "b"))
    assert tally is not None
    gaps = losses(frame, tally)
    loss = {m: -np.log(np.where(frame["y"] == 1, frame[m], 1 - frame[m])) for m in "ab"}
    table = pd.DataFrame({"g": frame["g"], "gap": loss["a"] - loss["b"], **loss}).groupby("g")
    np.testing.assert_allclose(gaps.values, [table["a"].mean(), table["b"].mean()])
    np.testing.assert_allclose(gaps.mean(), [table["gap"].mean(), table["gap"].var()])
    np.testing.assert_allclose(gaps.events(), pd.crosstab(frame["y"], frame["g"]))


def test_labels_that_only_one_part_knows_are_united() -> None:
    frame = pd.DataFrame({"y": list("xyxzzx"), "a": list("xyyzxx"), "b": list("xxxzzy")})

    def of(part: pd.DataFrame, labels: str) -> Tally:
        return part.evals(y_true="y", y_pred={"a": "a", "b": "b"}, labels=list(labels)).collect(["accuracy"])

    both, parts = of(frame, "xyz"), of(frame[:3], "xyw") + of(frame[3:], "xyzw")
    assert parts.labels == ("w", "x", "y", "z")
    found = parts.shared(("a", "b"))
    alone = both.shared(("a", "b"))
    assert found is not None
    assert alone is not None
    shift = {(c, *(code + 1 for code in codes)): w for (c, *codes), w in totals(alone.parts[Joint()]).items()}
    assert totals(found.parts[Joint()]) == shift


def test_models_on_different_rows_have_no_tally_together() -> None:
    frame = scored()
    long = pd.concat([frame.assign(m=m, p=frame[m]) for m in "ab"], ignore_index=True)
    long["row"] = np.tile(np.arange(len(frame)), 2)
    apart = long.evals(y_true="y", y_score="p", model="m").collect(["accuracy"], by="g")
    matched = long.evals(y_true="y", y_score="p", model="m", id="row").collect(["accuracy"], by="g")
    wide = collected(frame, "ab").shared(("a", "b"))
    assert apart.together == {}
    found = matched.shared(("a", "b"))
    assert found is not None
    assert wide is not None
    assert totals(found.parts[Joint()]) == totals(wide.parts[Joint()])


def test_tallies_of_pairs_pickle_and_copy() -> None:
    tally = collected(scored(), cluster="unit")
    for other in (pickle.loads(pickle.dumps(tally)), copy.deepcopy(tally)):  # noqa: S301 - made here
        again = other.shared(("a", "b"))
        assert again is not None
        assert totals(again.parts[Joint()]) == totals(tally.shared(("a", "b")).parts[Joint()])


METRICS = ["accuracy", "log_loss", "f1"]
ASKED: dict[str, Callable[[Any], Any]] = {
    "pair": lambda ev: ev.compare("a", "b", METRICS, by="g"),
    "turned": lambda ev: ev.compare("b", "a", METRICS),
    "all": lambda ev: ev.compare(metrics=METRICS, by="g"),
    "power": lambda ev: ev.power("a", "b", METRICS, by="g"),
    "route": lambda ev: ev.route("accuracy", by="g"),
    "route by loss": lambda ev: ev.route("log_loss", by="g"),
}


@pytest.mark.parametrize("roles", ROLES.values(), ids=ROLES)
def test_tallies_answer_as_the_rows_do(roles: dict[str, Any]) -> None:
    frame = scored()
    rows = frame.evals(y_true="y", y_score={name: name for name in "abc"}, labels=[0, 1], **roles)
    tally = dfevals.evaluate(rows.collect(METRICS, by="g"))
    for name, ask in ASKED.items():
        by_rows, by_tally = ask(rows), ask(tally)
        pd.testing.assert_frame_equal(by_rows.frame, by_tally.frame, rtol=1e-8, obj=name)
        said = [note for note in by_tally.notes if note not in by_rows.notes]
        assert all("which a tally does not hold" in note or "without the rows" in note for note in said)
    winners = [ASKED["all"](ev).winner.set_index("metric").loc[["accuracy", "f1"]] for ev in (rows, tally)]
    pd.testing.assert_frame_equal(*winners)


def test_a_winner_does_not_depend_on_how_equal_rows_are_written() -> None:
    frame = scored().dropna()
    repeated = frame.loc[frame.index.repeat(frame["times"])].reset_index(drop=True)
    once = frame.evals(
        y_true="y", y_score={m: m for m in "abc"}, sample_weight="times", weight_kind="frequency", labels=[0, 1]
    )
    often = repeated.evals(y_true="y", y_score={m: m for m in "abc"}, labels=[0, 1])
    pd.testing.assert_frame_equal(*(ev.compare(metrics=["accuracy", "mcc"]).winner for ev in (once, often)))
    pd.testing.assert_frame_equal(*(ev.route("accuracy", by="g").gain for ev in (once, often)))
