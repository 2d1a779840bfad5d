"""An evaluation of a tally answers as the rows would, and says of the rest what to collect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals import Gate
from dfevals.exceptions import CohortError, DataError, DfevalsError, MetricError, RoleError
from laws.frames import binary, multiclass, outcomes, regression

BY = ["sex", "region", dfevals.bins("age", [30, 50])]
WEIGHTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "importance": {"sample_weight": "w"},
    "frequency": {"sample_weight": "f", "weight_kind": "frequency"},
    "clustered": {"cluster": "user"},
}
FEW: dict[str, Any] = {"n_resamples": 20}
QUESTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "metrics": lambda ev, by: ev.metrics(["recall", "roc_auc", "log_loss"], by=by),
    "by class": lambda ev, by: ev.metrics(["recall", "precision"], by=by, by_class=True),
    "relative": lambda ev, by: ev.metrics(["recall", "log_loss"], by=by or "sex", relative_to="complement"),
    "confusion": lambda ev, by: ev.confusion(by=by),
    "errors": lambda ev, by: ev.errors(by=by),
    "roc": lambda ev, by: ev.roc(by=by),
    "pr": lambda ev, by: ev.pr(by=by),
    "det": lambda ev, by: ev.det(by=by),
    "cap": lambda ev, by: ev.cap(by=by),
    "gains": lambda ev, by: ev.gains(by=by, value=3, cost=1, **FEW),
    "thresholds": lambda ev, by: ev.thresholds(by=by, cost={"fp": 1, "fn": 3}, thresholds=5, **FEW),
    "calibration": lambda ev, by: ev.calibration(by=by, **FEW),
    "uniform bins": lambda ev, by: ev.calibration(by=by, strategy="uniform", **FEW),
    "gate": lambda ev, by: ev.gate([Gate("recall", ">=", 0.3), Gate("recall", "<=", 0.1)], model=ev.models[0], by=by, missing="ignore"),
    "complement": lambda ev, by: ev.compare(by=by or "sex", metrics="recall", against="complement"),
}  # fmt: skip


def close(one: pd.DataFrame, other: pd.DataFrame, *, but: tuple[str, ...] = ()) -> None:
    one, other = (frame.drop(columns=[*but], errors="ignore").reset_index(drop=True) for frame in (one, other))
    pd.testing.assert_frame_equal(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_tally_answers_as_its_rows(question: str, weights: str) -> None:
    rows = binary(150).evaluation(**WEIGHTS[weights])
    held = dfevals.evaluate(rows.collect(["recall", "roc_auc", "log_loss", "precision"], by=BY))
    for by in (None, "sex", ["region", dfevals.bins("age", [50])]):
        one, other = QUESTIONS[question](rows, by), QUESTIONS[question](held, by)
        close(one.frame, other.frame, but=("left_out", "note") if question == "gate" else ())
    assert repr(held)
    assert "none is held" in repr(held)
    assert held._repr_html_()


@pytest.mark.parametrize("task", ["multiclass", "regression", "outcomes"])
def test_other_tasks_answer_too(task: str) -> None:
    case = {"multiclass": multiclass, "regression": regression, "outcomes": outcomes}[task](n=150)
    rows = case.evaluation()
    names = {"multiclass": ["accuracy", "f1", "roc_auc_ovr"], "regression": ["mae", "rmse", "r2"], "outcomes": None}[
        task
    ]
    held = dfevals.evaluate(rows.collect(names, by=["sex", "region"]))
    close(held.metrics(names, by="sex").frame, rows.metrics(names, by="sex").frame)
    close(held.metrics(by="region").frame, rows.metrics(names, by="region").frame)
    if task == "multiclass":
        close(held.confusion(by="sex").frame, rows.confusion(by="sex").frame)
        close(held.roc(by="sex").frame, rows.roc(by="sex").frame)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_models_of_a_tally_are_compared_in_pairs(weights: str) -> None:
    ev = binary(150).evaluation(**WEIGHTS[weights])
    held = dfevals.evaluate(dfevals.Tally.from_bytes(ev.collect(["recall", "log_loss", "roc_auc"], by=BY).to_bytes()))
    metrics = ["recall", "log_loss"]
    for by in (None, "sex"):
        one, other = ev.compare(metrics=metrics, by=by), held.compare(by=by)
        close(one.frame, other.frame)
        assert one.why == other.why
        close(ev.power(metrics=metrics, by=by).frame, held.power(metrics=metrics, by=by).frame)
    assert any("roc_auc" in note for note in held.compare().notes)
    rule = Gate("recall", vs="baseline", margin=0.1)
    one, other = (e.gate(rule, model=e.models[0], baseline=e.models[1], missing="ignore").frame for e in (ev, held))
    close(one, other)
    with pytest.raises(DataError, match="reads rows"):
        held.compare(metrics="roc_auc")
    close(ev.route("log_loss", by="sex").frame, held.route("log_loss", by="sex").frame)


def _times(n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    at = pd.Timestamp("2025-11-20") + pd.to_timedelta(rng.integers(0, 90 * 24, n), "h")
    frame = pd.DataFrame({"at": at, "y": rng.integers(0, 2, n), "p": rng.random(n), "age": rng.integers(18, 80, n)})
    frame.loc[:4, "at"] = pd.NaT
    return frame


@pytest.mark.parametrize("finer", ["hour", "day", "month", "quarter"])
def test_periods_roll_up(finer: str) -> None:
    from dfevals.cohorts.axes import COARSER

    ev = _times().evals(y_true="y", y_score="p", pos_label=1)
    held = dfevals.evaluate(dfevals.Tally.from_bytes(ev.collect("recall", by=dfevals.period("at", finer)).to_bytes()))
    for grain in (finer, *COARSER[finer]):
        by = dfevals.period("at", grain)
        close(held.metrics("recall", by=by).frame, ev.metrics("recall", by=by).frame)
        assert held._cohorts_of(by).expressions == ev._cohorts_of(by).expressions
    with pytest.raises(CohortError, match="is not in this tally"):
        held.metrics("recall", by=dfevals.period("at", "minute"))


def test_bins_roll_up_and_others_are_refused() -> None:
    ev = _times().evals(y_true="y", y_score="p", pos_label=1)
    held = dfevals.evaluate(
        ev.collect("recall", by=dfevals.each(dfevals.bins("age", [30, 40, 60]), dfevals.period("at", "month")))
    )
    for by in (dfevals.bins("age", [40]), dfevals.bins("age", [30, 60], labels=["a", "b", "c"])):
        close(held.metrics("recall", by=by).frame, ev.metrics("recall", by=by).frame)
    crossed = [dfevals.period("at", "year"), dfevals.bins("age", [40])]
    close(held.metrics("recall", by=crossed).frame, ev.metrics("recall", by=crossed).frame)
    for by in (dfevals.bins("age", [35]), dfevals.bins("age", 3), "age", dfevals.quantiles("age", 2), "none"):
        with pytest.raises(CohortError, match=r"is not in this tally, which was collected by bins"):
            held.metrics("recall", by=by)
    few = held.metrics("recall", by=dfevals.bins("age", [30, 40, 60]), min_n=100).frame
    assert few["n"][~few["is_overall"]].min() >= 100 or (few.iloc[:, 0].str.startswith("(rare")).any()


def test_named_cohorts_and_their_subsets() -> None:
    ev = _times().evals(y_true="y", y_score="p", pos_label=1)
    by = {"young": "age < 30", "old": "age > 60", "adult": "age > 20"}
    held = dfevals.evaluate(ev.collect("recall", by=by))
    close(held.metrics("recall", by=by).frame, ev.metrics("recall", by=by).frame)
    some = {"adult": "age > 20", "young": "age < 30"}
    close(held.metrics("recall", by=some).frame, ev.metrics("recall", by=some).frame)
    with pytest.raises(CohortError, match="where that name is 'age < 30'"):
        held.metrics("recall", by={"young": "age < 31"})


def test_folds_answer_where_they_were_collected() -> None:
    frame = _times().assign(fold=np.arange(400) % 5, g=np.where(np.arange(400) % 3, "u", "v"))
    ev = frame.evals(
        y_true="y", y_score={"a": "p", "b": "age"}, pos_label=1, fold="fold", score_kind="margin", threshold=0.5
    )
    held = dfevals.evaluate(ev.collect(["recall", "roc_auc"], by=["g", "fold"]))
    for by in (None, "g"):
        one, other = held.folds(["recall", "roc_auc"], by=by), ev.folds(["recall", "roc_auc"], by=by)
        close(one.frame, other.frame)
        close(one.summary, other.summary)
        close(held.compare("a", "b", "recall", by=by).frame, ev.compare("a", "b", "recall", by=by).frame)
    with pytest.raises(DataError, match=r"not collected by the fold column 'fold'.*by=\['fold', …\]"):
        dfevals.evaluate(ev.collect("recall", by="g")).folds("recall")


def test_what_a_tally_lacks_is_named() -> None:
    held = dfevals.evaluate(binary(80).evaluation().collect("recall", by="sex"))
    with pytest.raises(MetricError, match="roc_auc"):
        held.roc()
    with pytest.raises(MetricError, match=r"log loss|log_loss"):
        held.metrics("log_loss")
    with pytest.raises(MetricError, match="reads the rows themselves"):
        held.metrics("ece")
    only_scores = dfevals.evaluate(binary(80).evaluation().collect("roc_auc"))
    assert len(only_scores.roc().frame)
    with pytest.raises(MetricError, match="'accuracy'"):
        only_scores.metrics("recall")
    asked: list[Callable[[], Any]] = [
        lambda: held.frame,
        lambda: held.where("age < 3"),
        held.worst,
        held.explore,
        held.recalibrate,
        held.agreement,
        lambda: held.thresholds(cost={"fp": "age", "fn": 1}),
        lambda: held.gains(value="age"),
        lambda: held.residuals(),
        lambda: held.metrics(by={"a": np.ones(80, bool)}),
    ]
    for ask in asked:
        with pytest.raises(DfevalsError):
            ask()
    with pytest.raises(RoleError, match="has its roles"):
        dfevals.evaluate(held.tally, y_true="y")


def test_parts_of_a_tally_are_collected_from_it(tmp_path: Path) -> None:
    ev = binary(120).evaluation()
    held = dfevals.evaluate(ev.collect(["recall", "roc_auc", "log_loss"], by=["sex", "region"]))
    part = held.collect(["recall", "log_loss"], by="sex", models="a" if "a" in held.models else held.models[0])
    close(part.metrics().frame, ev.collect(["recall", "log_loss"], by="sex", models=held.models[0]).metrics().frame)
    part.save(tmp_path / "x.tally")
    again = dfevals.evaluate(str(tmp_path / "x.tally"))
    close(again.metrics(by="sex").frame, part.metrics().frame)
    with pytest.raises(DataError, match="cannot be read"):
        dfevals.evaluate(tmp_path / "missing.tally")


def test_gates_and_comparisons_of_two_tallies(tmp_path: Path) -> None:
    case = binary(600)
    ev = case.evaluation()
    name = ev.models[0]
    first, second = (np.arange(600) % 2 == i for i in (0, 1))
    release = case.frame.assign(version=np.where(first, "new", "old"))
    model = {
        k: ({name: v[name]} if isinstance(v, dict) and name in v else v)
        for k, v in case.roles.items()
        if not (isinstance(v, dict) and name not in v)
    }
    by_release = release.evals(**model, release="version").compare("new", "old", "recall", by="sex").frame
    new, old = (ev.where(part).collect(["recall", "log_loss"], by="sex", models=name) for part in (first, second))
    old.save(tmp_path / "old.tally")
    for baseline in (old, dfevals.evaluate(old), str(tmp_path / "old.tally")):
        found = dfevals.evaluate(new).compare(metrics="recall", by="sex", baseline=baseline).frame
        numbers = ["value_a", "value_b", "difference", "ci_low", "ci_high", "p_value", "n"]
        close(found[numbers], by_release[numbers])
        rules = [Gate("recall", vs="baseline", margin=0.9), Gate("recall", ">=", 0.01)]
        gate = dfevals.evaluate(new).gate(rules, baseline=baseline, missing="ignore")
        assert gate.answer == "pass"
        strict = dfevals.evaluate(new).gate(rules, baseline=baseline)
        assert strict.answer == ("inconclusive" if sum(new.models[name].dropped.values()) else "pass")
    with pytest.raises(RoleError, match="neither a model of this tally"):
        dfevals.evaluate(new).gate(rules, baseline="nothing")
    other = regression(60).evaluation().collect("mae")
    with pytest.raises(DataError, match="different tasks"):
        dfevals.evaluate(new).compare(baseline=other)
