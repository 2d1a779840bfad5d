"""Code: executing what an explorer writes gives the same rows and the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.evaluation import Evaluation
from dfevals.explorers import answers
from dfevals.explorers.explorer import Explorer
from explorers.conftest import HOSTILE, binary_frame


def run(explorer: Explorer, kind: str | None = None, name: str = "df") -> Any:
    """Execute the explorer's code on its source."""
    code = explorer.code if kind is None else explorer.codes[kind]
    return eval(code, {name.split(".")[0]: explorer._view.bound.frame, "dfevals": dfevals})


def same_rows(explorer: Explorer) -> int:
    """Check that the code gives the selection, whatever the order, and return how many rows there are."""
    found = run(explorer)
    pd.testing.assert_frame_equal(found.sort_index(), explorer.selection.sort_index())
    return len(found)


CELLS = [
    {"kind": "confusion", "true": "yes", "pred": "no"},
    {"kind": "confusion", "true": "no", "pred": "no"},
    {"kind": "comparison", "value": "fixed"},
    {"kind": "comparison", "value": "broken"},
    {"kind": "comparison", "value": "both wrong"},
    {"kind": "score", "low": 0.2, "high": 0.4},
    {"kind": "fold", "value": "3"},
]


@pytest.mark.parametrize("cell", [None, *CELLS])
@pytest.mark.parametrize("cohort", [None, ["south"], ["<NA>"]])
def test_rows_of_a_binary_task(binary: Evaluation, cell: Any, cohort: Any) -> None:
    explorer = binary.explore(by="group", threshold=0.37, selection={"cohort": cohort, "cell": cell})
    n = same_rows(explorer) if cell or cohort else len(explorer.selection)
    assert n == explorer._answer("rows", {})[0]["total"]
    assert 0 < n < len(binary)


@pytest.mark.parametrize(
    ("by", "cohort"),
    [
        (dfevals.bins("age", [30, 60]), ["[30, 60)"]),
        (dfevals.quantiles("age", 3), None),
        (dfevals.period("at", "month"), ["2024-03"]),
        (dfevals.period("at", "weekday"), None),
        ({"young or south": "age < 30 or group == 'south'"}, ["young or south"]),
        (dfevals.each("group", "fold"), ["(all)", "2"]),
        (["group", "fold"], ["east", "1"]),
    ],
)
def test_rows_of_any_cohort(binary: Evaluation, by: Any, cohort: Any) -> None:
    explorer = binary.explore(by=by)
    cohort = cohort or list(explorer._answer("counts", {})[0]["paths"][0])
    for cell in (None, CELLS[0]):
        explorer.state = {**explorer.state, "selection": {"cohort": cohort, "cell": cell}}
        assert same_rows(explorer) > 0


def test_search_and_order(binary: Evaluation) -> None:
    explorer = binary.explore(by="group", rows={"search": "refund", "sort": "loss"}, selection={"cohort": ["south"]})
    assert same_rows(explorer) > 0
    assert explorer.selection["text"].str.contains("refund").all()
    worst = binary.worst(
        3, where=(binary.frame["group"] == "south").fillna(False) & binary.frame["text"].str.contains("refund")
    )
    assert explorer.selection.index[:3].tolist() == worst.index.tolist()


def test_the_table_of_cohorts(binary: Evaluation) -> None:
    for state in ({"metric": "recall"}, {"metric": "roc_auc", "level": 0.9}, {"threshold": 0.21, "model": "bad"}):
        explorer = binary.explore(by="group", **state)
        shown = answers.estimates(explorer._view, explorer.state)
        frame = run(explorer).frame
        order = [*range(1, len(frame)), 0]
        np.testing.assert_allclose(frame["value"].to_numpy()[order], shown["value"])
        np.testing.assert_allclose(frame["ci_low"].to_numpy()[order], shown["ci_low"])


def test_the_tabs(binary: Evaluation, multiclass: Evaluation, regression: Evaluation) -> None:
    for evaluation in (binary, multiclass, regression):
        explorer = evaluation.explore()
        for view in explorer._view.views:
            explorer.state = {**explorer.state, "view": view}
            found = run(explorer, "view")
            assert len(found if view == "text" else found.frame)


def test_multiclass_rows(multiclass: Evaluation) -> None:
    labels = ["<b>eel</b>", "cat", "dog"]
    total = 0
    for true in labels:
        for pred in labels:
            cell = {"kind": "confusion", "true": true, "pred": pred}
            total += same_rows(multiclass.explore(selection={"cohort": ["a"], "cell": cell}))
    assert total == (multiclass.frame["site"] == "a").sum()


def test_regression_rows(regression: Evaluation) -> None:
    cell: dict[str, Any] = {"kind": "residual", "low": 0.5, "high": 1.5}
    assert same_rows(regression.explore(selection={"cohort": ["u"], "cell": cell})) > 0
    for value in ("fixed", "broken", "both right", "both wrong"):
        assert same_rows(regression.explore(selection={"cell": {"kind": "comparison", "value": value}})) > 0


def test_outcome_rows(outcomes: Evaluation) -> None:
    sizes = {}
    for column in ("toxicity", "polite"):
        for value in ("pass", "fail", "none"):
            explorer = outcomes.explore(
                by="intent", selection={"cell": {"kind": "outcome", "column": column, "value": value}}
            )
            sizes[column, value] = same_rows(explorer)
    frame = outcomes.frame
    assert sizes["toxicity", "none"] == 7
    assert sizes["toxicity", "pass"] == (frame["toxicity"] <= 0.3).sum()
    assert sizes["polite", "fail"] == (~frame["polite"]).sum()


def test_another_name_and_predictions(binary: Evaluation) -> None:
    frame = binary_frame()
    frame["pred"] = np.where(frame["p_good"] > 0.8, "yes", "no")
    evaluation = dfevals.evaluate(frame, y_true="label", y_score="p_good", y_pred="pred", pos_label="yes")
    explorer = evaluation.explore(name="data.test", by="group", selection={"cell": CELLS[0]})
    assert explorer.state["threshold"] is None
    assert explorer.code.startswith("data.test.evals(")
    explorer.state = {**explorer.state, "name": "df"}
    same_rows(explorer)
    assert (explorer.selection["pred"] == "no").all()
    explorer.state = {**explorer.state, "threshold": 0.3}
    same_rows(explorer)
    assert (explorer.selection["p_good"] < 0.3).all()
    assert run(explorer, "table").frame["value"].notna().all()


def test_hostile_names() -> None:
    rng = np.random.default_rng(0)
    n = 300
    frame = pd.DataFrame({name: rng.choice(["a", name], n) for name in HOSTILE})
    frame["class"] = rng.choice([0, 1], n)
    frame["score`s"] = rng.random(n)
    evaluation = dfevals.evaluate(frame, y_true="class", y_score="score`s")
    for name in (HOSTILE[0], HOSTILE[2], HOSTILE[4]):
        explorer = evaluation.explore(by=name)
        path = list(explorer._answer("counts", {})[0]["paths"][-1])
        explorer.state = {
            **explorer.state,
            "selection": {"cohort": path, "cell": {"kind": "confusion", "true": "1", "pred": "0"}},
        }
        assert same_rows(explorer) > 0
