"""Every question about every awkward frame: a result in every form or an error of dfevals, never another nor a warning."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import suppress
from itertools import product
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

from awkward_frames import FRAMES, HOSTILE
from dfevals import Gate
from dfevals.evaluation import Evaluation, questions
from dfevals.exceptions import DfevalsError
from dfevals.results.result import Result

RULES = {"regression": Gate("mae", "<=", 1.0)}

QUESTIONS: dict[str, Callable[[Evaluation, Any], Any]] = {
    "card": lambda ev, by: ev,
    "where": lambda ev, by: ev.where([i % 2 == 0 for i in range(len(ev))]).metrics(by=by),
    "worst": lambda ev, by: ev.worst(3).iloc[:, -1].tolist(),
    "metrics": lambda ev, by: ev.metrics(by=by),
    "metrics by class": lambda ev, by: ev.metrics(by_class=True),
    "metrics relative": lambda ev, by: ev.metrics(by=by, relative_to="complement"),
    "metrics bootstrap": lambda ev, by: ev.metrics(by=by, interval="bootstrap", n_resamples=20),
    "collect": lambda ev, by: ev.collect(by=by).metrics(),
    "folds": lambda ev, by: ev.folds(by=by),
    "confusion": lambda ev, by: ev.confusion(by=by),
    "errors": lambda ev, by: ev.errors(by=by),
    "roc": lambda ev, by: ev.roc(by=by, max_fpr=0.2, n_resamples=20),
    "pr": lambda ev, by: ev.pr(by=by),
    "det": lambda ev, by: ev.det(by=by),
    "cap": lambda ev, by: ev.cap(by=by),
    "gains": lambda ev, by: ev.gains(by=by, value=3.0, cost=1.0, n_resamples=20),
    "thresholds": lambda ev, by: ev.thresholds(by=by, n_resamples=20),
    "thresholds costs": lambda ev, by: ev.thresholds(cost={"fp": 1, "fn": 5}, n_resamples=20),
    "calibration": lambda ev, by: ev.calibration(by=by, n_resamples=20),
    "calibration bins": lambda ev, by: ev.calibration(strategy="quantile", n_resamples=20),
    "recalibrate": lambda ev, by: ev.recalibrate(cv=3),
    "residuals": lambda ev, by: ev.residuals(by=by),
    "explore": lambda ev, by: ev.explore(),
    "compare": lambda ev, by: ev.compare(by=by, n_resamples=20),
    "compare cohorts": lambda ev, by: ev.compare(by=by, against="complement", n_resamples=20),
    "gate": lambda ev, by: ev.gate(_rule(ev), model=_first(ev), by=by),
    "gate baseline": lambda ev, by: ev.gate(
        Gate(_rule(ev).metric, vs="baseline", margin=0.1),
        model=_first(ev),
        baseline=ev.models[-1] if ev.models else None,
    ),
    "route": lambda ev, by: ev.route(by=by),
    "equalise": lambda ev, by: ev.equalise(by),
    "fairness": lambda ev, by: ev.fairness(by),
    "standardise": lambda ev, by: ev.standardise(ev, by),
    "attribute_change": lambda ev, by: ev.attribute_change(ev, by=by),
    "flip": lambda ev, by: ev.flip(str(ev.frame.columns[0]), lambda rows: np.full(len(rows), 0.4), by),
    "monitor": lambda ev, by: ev.monitor(by=by),
    "drift": lambda ev, by: ev.drift(ev, by=by),
    "slices": lambda ev, by: ev.slices(n_resamples=20),
    "slices of rows": lambda ev, by: ev.slices(inference="confirm", min_n=5).tree(2),
    "power": lambda ev, by: ev.power(by=by),
    "corrected": lambda ev, by: ev.corrected(*map(str, ev.frame.columns[:2]), by=by),
    "agreement": lambda ev, by: ev.agreement(*ev.models[:2], by=by),
}


def _first(ev: Evaluation) -> str | None:
    return ev.models[0] if ev.models else None


def _rule(ev: Evaluation) -> Gate:
    if ev.task == "outcomes":
        return Gate(ev.metrics(ci=None).frame["metric"].iloc[0], ">=", 0.5)
    return RULES.get(ev.task, Gate("accuracy", ">=", 0.5))


def test_every_question_is_asked() -> None:
    """A new question is asked here too."""
    asked = {name.split()[0] for name in QUESTIONS}
    assert set(questions()) - asked == set()


FORMS = ("__repr__", "_repr_html_", "to_html", "to_markdown")


def shown(result: Any) -> str:
    """Text, HTML and Markdown of a result, as far as it has them; what may become part of a page."""
    texts = [getattr(result, form)() for form in FORMS if hasattr(result, form)]
    return "".join(texts[1:])


def drawn(result: Result) -> None:
    """The chart of a result, drawn to the end."""
    try:
        result.plot()
        for number in plt.get_fignums():
            plt.figure(number).canvas.draw()
    finally:
        plt.close("all")


def _pairs() -> list[tuple[str, str]]:
    """Every frame with every question when asked for (by `make validate`), else every frame with two of them."""
    if os.environ.get("DFEVALS_AWKWARD") == "all":
        return list(product(FRAMES, QUESTIONS))
    shuffled = random.Random(0).sample(list(QUESTIONS), len(QUESTIONS))
    return [
        (name, shuffled[(i + half) % len(shuffled)])
        for i, name in enumerate(FRAMES)
        for half in (0, len(shuffled) // 2)
    ]


@pytest.mark.parametrize(("name", "question"), _pairs())
def test_an_answer_or_an_error_by_name(name: str, question: str) -> None:
    frame, roles, by = FRAMES[name]()
    page = ""
    with suppress(DfevalsError):  # a warning is an error in all tests
        result = QUESTIONS[question](frame.evals(**roles), by)
        page = shown(result)
        if isinstance(result, Result):
            drawn(result)
    assert HOSTILE not in page


REFUSED = {
    "columns_of_two_levels": "The frame has MultiIndex columns",
    "duplicated_columns": "'p' is there 2 times",
    "labels_that_cannot_be_hashed": "'c' holds unhashable values",
    "outcomes_that_cannot_be_hashed": "'calls' holds unhashable values",
    "tuples_as_names": "which class does each belong to",
}


@pytest.mark.parametrize("name", FRAMES)
def test_few_frames_are_refused_from_the_start(name: str) -> None:
    frame, roles, _ = FRAMES[name]()
    if name in REFUSED:
        with pytest.raises(DfevalsError, match=REFUSED[name]):
            frame.evals(**roles)
    else:
        assert len(frame.evals(**roles)) == len(frame)


def test_what_is_missing_is_named() -> None:
    def ask(name: str, question: str) -> Any:
        frame, roles, by = FRAMES[name]()
        return QUESTIONS[question](frame.evals(**roles), by)

    with pytest.raises(DfevalsError, match="fold column 'k' names no fold: its 60 values are missing"):
        ask("folds_missing", "folds")
    with pytest.raises(DfevalsError, match="at least 3 rows of each of two classes; found 0, 1"):
        ask("weights_of_one_row", "recalibrate")
    assert "\ufffd" in set(ask("lone_surrogates", "confusion").frame["g"])


def test_few_resamples_leave_no_interval() -> None:
    """The tails of 20 resamples hold half a resample each: no bound, instead of an index beyond the last one."""
    frame, roles, _ = FRAMES["ties_everywhere"]()
    found = frame.evals(**roles).compare(metrics="ks", test="bootstrap", n_resamples=20).frame
    assert found[["ci_low", "ci_high"]].isna().all(axis=None)
    assert "no interval" in found["note"].item()


def test_squares_beyond_all_numbers_are_infinite() -> None:
    frame, roles, _ = FRAMES["huge_numbers"]()
    found = frame.evals(**roles).metrics(["mae", "mse"]).frame.set_index(["model", "metric"])
    expected = np.abs(frame["t"] - frame["f"]).mul(1 / len(frame)).sum()
    assert found.loc[("m", "mae"), "value"] == pytest.approx(expected)
    assert not np.isfinite(found.loc[("m", "mse"), "value"])


@pytest.mark.parametrize(
    ("name", "question"),
    [("hostile_models", "compare"), ("long_cohorts", "power"), ("weights_far_apart", "thresholds")],
)
def test_frames_that_once_failed(name: str, question: str) -> None:
    """Names too long for a chart of fixed width; resamples of which none is defined."""
    frame, roles, by = FRAMES[name]()
    drawn(QUESTIONS[question](frame.evals(**roles), by))


def test_thresholds_beyond_charts_are_refused_with_the_fix() -> None:
    frame, roles, by = FRAMES["huge_margins"]()
    found = QUESTIONS["thresholds"](frame.evals(**roles), by)
    assert len(found.frame)
    with pytest.raises(DfevalsError, match=r"too great for a chart\. Divide the scores"):
        found.plot()
