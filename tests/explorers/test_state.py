"""States: complete, restored, changed, and refused."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
import traitlets

import dfevals
from dfevals.evaluation import Evaluation
from dfevals.exceptions import DfevalsError
from dfevals.explorers.dimensions import from_plain, to_code, to_plain
from dfevals.explorers.state import checked


def test_a_state_is_json_and_restores(binary: Evaluation) -> None:
    explorer = binary.explore(
        by=["group", dfevals.bins("age", [30, 60])],
        metric="recall",
        threshold=0.31,
        view="roc",
        selection={"cohort": ["south", "< 30"]},
        rows={"sort": "loss"},
        tags={"17": "mislabelled"},
    )
    state = json.loads(json.dumps(explorer.state))
    assert {"by", "metric", "model", "threshold", "view", "selection"} <= state.keys()
    assert state["by"] == ["group", {"bins": "age", "edges": [30, 60]}]
    again = binary.explore(**state)
    assert again.state == explorer.state
    assert again.selection.equals(explorer.selection)
    assert again.code == explorer.code


def test_what_is_left_open_is_filled_in(binary: Evaluation) -> None:
    state = binary.explore().state
    assert state["by"] == ["group"]
    assert (state["model"], state["against"], state["metric"], state["view"]) == ("good", "bad", "f1", "confusion")
    assert state["threshold"] == 0.5


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"colour": 1}, "no state 'colour'"),
        ({"metrc": "f1"}, "'metric'"),
        ({"metric": "recal"}, "Did you mean 'recall'"),
        ({"metric": "mae"}, "regression"),
        ({"model": "goood"}, "Did you mean 'good'"),
        ({"by": "grup"}, "Did you mean 'group'"),
        ({"by": {"x": "age <"}}, "age <"),
        ({"by": {"x": "__import__('os').system('true')"}}, ""),
        ({"by": [{"bins": "age", "edges": [30], "evil": 1}]}, "dimension"),
        ({"by": [{"bins": "age", "edges": [60, 30]}]}, "rise"),
        ({"by": [[1]]}, "holds"),
        ({"threshold": float("nan")}, "finite"),
        ({"threshold": "0.5"}, "finite"),
        ({"level": 0.5}, "one of"),
        ({"view": "<script>"}, "one of"),
        ({"view": "residuals"}, "Choices"),
        ({"name": "df; import os"}, "variable"),
        ({"name": "class"}, "variable"),
        ({"cost": {"fp": -1}}, "below 0"),
        ({"selection": {"cohort": ["nort"]}}, "Did you mean 'north'"),
        ({"selection": {"cell": {"kind": "confusion", "true": "yes"}}}, "kind"),
        ({"selection": {"cell": {"kind": "confusion", "true": "yes", "pred": "maybe"}}}, "'maybe'"),
        ({"selection": {"cell": {"kind": "residual", "low": 0, "high": 1}}}, "regression"),
        ({"rows": {"page": -1}}, "whole number"),
        ({"rows": {"page": True}}, "whole number"),
        ({"rows": {"sort": "__class__"}}, "no column"),
        ({"rows": {"columns": ["nope"]}}, "no column"),
        ({"tags": {"x": "y"}}, "position"),
        ({"tags": {"99999": "y"}}, "beyond"),
        ({"ratings": {"1": 6}}, "position"),
        ({"table": {"sort": "evil"}}, "must be"),
        ({"table": [1]}, "a dict"),
    ],
)
def test_what_no_explorer_has_is_refused_with_a_message(binary: Evaluation, given: dict[str, Any], words: str) -> None:
    with pytest.raises(DfevalsError, match=None) as caught:
        binary.explore(**given)
    assert words in str(caught.value)


def test_a_wrong_state_from_the_page_changes_nothing(binary: Evaluation) -> None:
    explorer = binary.explore()
    before = explorer.state
    with pytest.raises(traitlets.TraitError, match="no state 'evil'"):
        explorer.state = {**before, "evil": 1}
    with pytest.raises(traitlets.TraitError, match="finite"):
        explorer.state = {**before, "threshold": "x"}
    assert explorer.state == before


def test_observers_hear_of_a_change(binary: Evaluation) -> None:
    explorer = binary.explore()
    heard: list[Any] = []
    explorer.observe(heard.append, "state")
    explorer.state = {**explorer.state, "metric": "recall"}
    assert [change["new"]["metric"] for change in heard] == ["recall"]


@pytest.mark.parametrize(
    "by",
    [
        None,
        "group",
        ["group", "fold"],
        dfevals.bins("age", [30, 60], labels=["a", "b", "c"]),
        [dfevals.quantiles("age", 3), "group"],
        dfevals.quantiles("age", [0.1, 0.9]),
        dfevals.period("at", "month"),
        dfevals.top("text", 2),
        dfevals.each("group", ["fold", dfevals.bins("age", 4)]),
        {"young": "age < 30", "old south": "age >= 60 and group == 'south'"},
    ],
)
def test_definitions_become_json_and_code_and_back(binary: Evaluation, by: Any) -> None:
    plain = json.loads(json.dumps(to_plain(by)))
    wanted = binary.metrics("recall", by=by).frame
    assert binary.metrics("recall", by=from_plain(plain)).frame.equals(wanted)
    written = eval(to_code(plain), {"dfevals": dfevals})
    assert binary.metrics("recall", by=written).frame.equals(wanted)
    assert binary.explore(by=by).state["by"] == plain


def test_masks_have_no_json_form(binary: Evaluation) -> None:
    with pytest.raises(DfevalsError, match="needs an expression"):
        binary.explore(by={"x": binary.frame["age"].to_numpy() < 30})


def test_partial_nested_values_keep_the_others() -> None:
    state = checked({"selection": {"cohort": ["a"]}}, checked({"selection": {"compare": ["b"]}}))
    assert state["selection"] == {"cohort": ["a"], "compare": ["b"], "cell": None}
    assert checked({"selection": None}, state)["selection"]["cohort"] is None


def test_the_first_cohorts_are_no_single_rows() -> None:
    frame = pd.DataFrame({"question": [f"what is {i}?" for i in range(40)] * 2, "intent": ["a", "b"] * 40})
    frame = frame.assign(model=["one"] * 40 + ["two"] * 40, ok=[True, False, True, True] * 20)
    assert frame.evals(outcomes=["ok"], model="model").explore().state["by"] == ["intent"]
    assert frame.drop(columns="intent").evals(outcomes=["ok"], model="model").explore().state["by"] == ["question"]
