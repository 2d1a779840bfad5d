"""Explorers of results: each opens where the result is."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import dfevals
from dfevals.evaluation import Evaluation
from dfevals.exceptions import DfevalsError
from dfevals.results.result import Result

AGE = dfevals.bins("age", [30, 60])
PLAIN = {"bins": "age", "edges": [30, 60]}


def shown(result: Result, *keys: str, **state: Any) -> tuple[Any, ...]:
    """Parts of the state of the result's explorer."""
    found = result.explore(**state).state
    return tuple(found[key] for key in keys)


@pytest.mark.parametrize(
    ("question", "tab"),
    [
        ("roc", "roc"),
        ("pr", "pr"),
        ("det", "roc"),
        ("cap", "gains"),
        ("gains", "gains"),
        ("calibration", "calibration"),
    ],
)
def test_curves(binary: Evaluation, question: str, tab: str) -> None:
    options = {} if question == "calibration" else {"ci": 0.9}
    result = getattr(binary, question)(by=["group", AGE], models="bad", **options)
    assert shown(result, "view", "by", "model") == (tab, ["group", PLAIN], "bad")
    assert shown(result, "level") == (0.9 if options else 0.95,)


def test_metrics(binary: Evaluation) -> None:
    result = binary.metrics(["mcc", "recall"], by="group", models="bad", ci=0.99)
    keys = ("view", "by", "model", "metric", "level", "threshold")
    assert shown(result, *keys) == ("confusion", ["group"], "bad", "mcc", 0.99, 0.5)
    assert shown(result, "metric", "view", metric="f1", view="roc") == ("f1", "roc")
    assert shown(binary.metrics("recall", ci=None), "by", "level") == (None, 0.95)
    assert shown(binary.metrics("recall", ci=0.86), "level") == (0.9,)


def test_small_cohorts_stay_hidden(binary: Evaluation) -> None:
    for question in ("metrics", "roc", "gains", "calibration", "confusion", "errors", "folds", "thresholds"):
        result = getattr(binary, question)(by="group", min_n=200)
        assert result.explore().state["table"]["min_n"] == 200, question
    explorer = result.explore(table={"sort": "p"})
    assert (explorer.state["table"]["min_n"], explorer.state["table"]["sort"]) == (200, "p")
    sizes = explorer._answer("counts", {})[0]["sizes"]
    assert 0 < sum(size < 200 for size in sizes) < len(sizes) - 1
    assert shown(result, "table", table={"min_n": 0})[0]["min_n"] == 0
    assert shown(binary.metrics("recall", by="group"), "table")[0]["min_n"] == 0


def test_the_explorer_shows_the_numbers_of_the_result(binary: Evaluation) -> None:
    result = binary.metrics("recall", by="group")
    explorer = result.explore()
    assert (
        explorer.code
        == "df.evals(y_true='label', y_score={'good': 'p_good', 'bad': 'p_bad'}, fold='fold', pos_label='yes').metrics('recall', by='group', models='good')"
    )
    again = eval(explorer.code, {"df": binary.frame, "dfevals": dfevals})
    good = result.frame[result.frame["model"] == "good"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again.frame.reset_index(drop=True), good)


def test_thresholds(binary: Evaluation) -> None:
    result = binary.thresholds(by="group", cost={"fp": 1, "fn": 5})
    best = result.best.query("is_overall and model == 'good'")["threshold"].iloc[0]
    assert shown(result, "threshold", "cost", "by") == (best, {"fp": 1.0, "fn": 5.0}, ["group"])
    assert shown(binary.thresholds(objective="f1"), "metric", "cost") == ("f1", {"fp": 1.0, "fn": 1.0})
    assert shown(binary.thresholds(objective="precision>=0.8"), "metric") == ("recall",)


def test_comparisons(binary: Evaluation) -> None:
    result = binary.compare("bad", "good", by="group", metrics="recall", unit="rows")
    keys = ("view", "model", "against", "metric", "by")
    assert shown(result, *keys) == ("compare", "bad", "good", "recall", ["group"])
    rest = binary.compare("bad", by="group", metrics="f1", against="complement")
    assert shown(rest, "model", "metric", "by")[1:] == ("f1", ["group"])


def test_folds(binary: Evaluation) -> None:
    assert shown(binary.folds(metrics="recall"), "view", "metric", "model") == ("folds", "recall", "good")


def test_errors_and_confusion(binary: Evaluation, multiclass: Evaluation) -> None:
    assert shown(multiclass.errors(by="site"), "view", "by") == ("pairs", ["site"])
    assert shown(multiclass.errors().confusion, "view") == ("confusion",)
    assert shown(binary.errors(models="bad"), "view", "model") == ("confusion", "bad")


def test_residuals(regression: Evaluation) -> None:
    assert shown(regression.residuals(by="site", level=0.9), "view", "metric", "level") == ("residuals", "mae", 0.9)


def test_rows_that_were_chosen_stay_chosen(binary: Evaluation) -> None:
    explorer = binary.where("age < 40").metrics("recall").explore()
    assert len(explorer.selection) == len(binary.where("age < 40").worst(10_000))


def test_what_cannot_be_explored_says_so(binary: Evaluation) -> None:
    half = [binary.where(f"fold {sign} 2").collect("recall", by="group") for sign in ("<", ">=")]
    with pytest.raises(DfevalsError, match=r"no rows to explore.*tally.*explore\(by="):
        (half[0] + half[1]).metrics("recall").explore()
    with pytest.raises(DfevalsError, match=r"Result has no explorer.*ev\.explore"):
        Result(pd.DataFrame({"value": [1]})).explore()
    with pytest.raises(DfevalsError, match="PowerResult has no explorer"):
        binary.power().explore()
    with pytest.raises(DfevalsError, match="no state 'colour'"):
        binary.metrics("recall").explore(colour=1)
    with pytest.raises(DfevalsError, match="expression"):
        binary.metrics("recall", by={"few": [True] * len(binary)}).explore()
    assert binary.metrics("recall", by={"few": [True] * len(binary)}).explore(by=None).state["by"] is None
