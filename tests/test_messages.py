"""Messages say what was found in the user's words, not in those of a library below."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.exceptions import CohortError, DataError, DfevalsError, RoleError

FRAME = pd.DataFrame({"y": [0, 1] * 20, "p": [0.1, 0.9, 0.6, 0.4] * 10, "g": list("ab") * 20})


@pytest.fixture
def ev() -> Any:
    return FRAME.evals(y_true="y", y_score="p", pos_label=1)


def said(error: type[DfevalsError], call: Any) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_a_period_of_text(ev: Any) -> None:
    text = said(CohortError, lambda: ev.metrics("recall", by=dfevals.period("g", "month")))
    assert "does not hold times but, for example, 'a'. Convert it by pd.to_datetime first." in text


@pytest.mark.parametrize(("grain", "name"), [("M", "month"), ("D", "day"), ("QE", "quarter"), ("min", "minute")])
def test_grains_of_pandas(grain: str, name: str) -> None:
    assert dfevals.period("t", grain) == dfevals.period("t", name)


def test_a_list_that_is_no_mask(ev: Any) -> None:
    text = said(CohortError, lambda: ev.metrics("recall", by={"x": [1] * 40}))
    assert text.endswith("got list: 40 values of type int64.")


def test_a_repeated_id_says_in_how_many_rows() -> None:
    long = pd.DataFrame({"y": [0, 1, 1, 0, 1, 1], "p": [0.2, 0.8, 0.7, 0.1, 0.6, 0.7], "m": list("aaabbb")})
    ev = long.assign(i=[0, 1, 1, 0, 1, 2]).evals(y_true="y", y_score="p", pos_label=1, model="m", id="i")
    assert "(1 of 2 values, such as 1 in 2 rows)" in said(DataError, lambda: ev.compare("a", "b"))


@pytest.mark.parametrize("seed", ["x", -1, 0.5])
def test_a_seed_that_is_none(ev: Any, seed: Any) -> None:
    text = said(DataError, lambda: ev.metrics("recall", interval="bootstrap", n_resamples=10, random_state=seed))
    assert text.startswith(f"random_state={seed!r} is no seed.")


def test_labels_and_scores_of_delong_that_are_text() -> None:
    scores = [0.1, 0.4, 0.3]
    labels: Any = ["no", "yes", "no"]
    assert "y_true must be numbers" in said(DataError, lambda: dfevals.inference.delong(labels, scores, scores))
    text = said(DataError, lambda: dfevals.inference.delong([0, 1, 0], labels, scores))
    assert text == "The scores must be numbers (labels: Boolean or 0/1); found 'no'."


@pytest.mark.parametrize("condition", ["isnull(x)", "x.isnull()", "not notnull(x)", "not x.notna()"])
def test_pandas_other_names_of_missing(condition: str) -> None:
    ev = FRAME.assign(x=np.where(FRAME.index < 7, np.nan, 1.0)).evals(y_true="y", y_score="p", pos_label=1)
    assert len(ev.where(condition)) == 7


def test_two_text_labels_may_be_a_part_of_more() -> None:
    part = pd.DataFrame({"y": ["a", "b"] * 5, "p": ["a"] * 10})
    text = said(RoleError, lambda: part.evals(y_true="y", y_pred="p"))
    assert "pos_label='b'" in text
    assert "labels=[...]" in text
    assert "task='multiclass'" in text


def test_an_explorer_has_at_most_three_dimensions(ev: Any) -> None:
    frame = FRAME.assign(h="x", i="y", j="z")
    ev = frame.evals(y_true="y", y_score="p", pos_label=1)
    text = said(DfevalsError, lambda: ev.explore(by=["g", "h", "i", "j"]))
    assert "has 4 dimensions; it must be a list of one to three" in text
    assert ev.explore(by=["g", "h", "i"]).state["by"] == ["g", "h", "i"]


@pytest.mark.parametrize(
    ("method", "given", "meant"),
    [
        ("roc", "modles", "models"),
        ("det", "groupby", "by"),
    ],
)
def test_a_keyword_that_is_another_methods(ev: Any, method: str, given: str, meant: str) -> None:
    with pytest.raises(TypeError, match=rf"^{method}\(\) has no keyword '{given}'\. Did you mean '{meant}'\?"):
        getattr(ev, method)(**{given: 0.9})


def test_a_keyword_that_no_method_has(ev: Any) -> None:
    with pytest.raises(
        TypeError, match=r"^confusion\(\) has no keyword 'cost'\. Keywords: 'by', 'models', 'level', 'min_n'\.$"
    ):
        ev.confusion(cost=0.9)


def test_methods_keep_their_signature() -> None:
    assert list(inspect.signature(dfevals.Evaluation.pr).parameters) == [
        "self",
        "by",
        "models",
        "band",
        "level",
        "min_n",
    ]
