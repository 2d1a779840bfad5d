"""Every kind of evaluation can be explored: each question is answered, and the code gives the selected rows."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.evaluation import Evaluation

QUESTIONS = {
    "confusion": "matrix",
    "pairs": "matrix",
    "compare": "comparison",
    "folds": "folds",
    "outcomes": "outcomes",
    "residuals": "residuals",
    **dict.fromkeys(("roc", "pr", "calibration", "gains"), "ranking"),
}


def frame(n: int = 600) -> pd.DataFrame:
    """Columns that can play every role."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "y": rng.integers(0, 2, n),
            "p": rng.random(n),
            "q": rng.random(n),
            "g": rng.choice(["a", "b"], n),
            "w": rng.random(n) + 0.5,
            "u": rng.integers(0, 60, n),
            "k": rng.choice(["x", "y", "z"], n),
            "kp": rng.choice(["x", "y", "z"], n),
            "r": rng.normal(size=n),
            "rp": rng.normal(size=n),
            "fold": rng.integers(0, 4, n),
        }
    )


def long() -> pd.DataFrame:
    """Two models below each other."""
    base = frame()
    return pd.concat([base.assign(m="A"), base.assign(m="B", p=base["q"])], ignore_index=True)


CASES: dict[str, Callable[[], Evaluation]] = {
    "weights": lambda: dfevals.evaluate(frame(), y_true="y", y_score="p", sample_weight="w"),
    "clusters": lambda: dfevals.evaluate(frame(), y_true="y", y_score="p", cluster="u"),
    "long": lambda: dfevals.evaluate(long(), y_true="y", y_score="p", model="m"),
    "labels": lambda: dfevals.evaluate(frame(), y_true="k", y_pred="kp"),
    "weighted labels": lambda: dfevals.evaluate(frame(), y_true="k", y_pred="kp", sample_weight="w"),
    "two predictions": lambda: dfevals.evaluate(
        frame().assign(z=lambda d: d["p"] > 0.5), y_true="y", y_pred={"a": "z", "b": "y"}
    ),
    "regression": lambda: dfevals.evaluate(frame(), y_true="r", y_pred="rp", fold="fold"),
    "truth and numbers": lambda: dfevals.evaluate(
        frame().assign(y=lambda d: d["y"] == 1, z=lambda d: (d["p"] > 0.4).astype(int)), y_true="y", y_pred="z"
    ),
    "long outcomes": lambda: dfevals.evaluate(long().assign(ok=lambda d: d["p"] > 0.5), outcomes=["ok"], model="m"),
    "labels and outcomes": lambda: dfevals.evaluate(
        frame().assign(ok=lambda d: d["p"] > 0.5),
        y_true="y",
        y_score={"a": "p", "b": "q"},
        outcomes=["ok"],
        fold="fold",
    ),
    "some rows": lambda: dfevals.evaluate(frame(), y_true="y", y_score="p").where("k != 'x'"),
    "column numbers": lambda: dfevals.evaluate(frame().rename(columns={"y": 0, "p": 1}), y_true=0, y_score=1),
    "index of two levels": lambda: dfevals.evaluate(frame().set_index(["u", "fold"]), y_true="y", y_score="p"),
    "index with repeats": lambda: dfevals.evaluate(frame().set_index("u"), y_true="y", y_score="p"),
    "nullable": lambda: dfevals.evaluate(frame().convert_dtypes(), y_true="y", y_score="p"),
}


@pytest.mark.parametrize("name", list(CASES))
def test_every_question_is_answered_and_the_code_runs(name: str) -> None:
    evaluation = CASES[name]()
    explorer = evaluation.explore(by="g")
    for view in explorer._view.views:
        for ask in ("counts", "rows", "estimates", QUESTIONS.get(view, "rows")):
            answer = explorer._answer(ask, {"state": {"view": view}})[0]
            assert json.dumps(answer, allow_nan=False)
    assert "Error" not in explorer._repr_mimebundle_()[0]["text/html"]
    labels = [str(label) for label in evaluation.labels]
    cell = {"kind": "confusion", "true": labels[-1], "pred": labels[0]} if labels else None
    explorer.state = {**explorer.state, "selection": {"cohort": ["b"], "cell": cell}}
    names = {"df": evaluation.frame, "dfevals": dfevals}
    found = eval(explorer.code, names)
    assert len(found) > 0
    pd.testing.assert_frame_equal(found, explorer.selection)
    assert len(eval(explorer.codes["table"], names).frame) == 3
