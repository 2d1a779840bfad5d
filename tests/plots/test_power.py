"""What charts of plans hold, read from their artists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dfevals
from dfevals.exceptions import DfevalsError
from dfevals.plots import alt_text


@pytest.fixture(scope="module")
def plan() -> Any:
    adult = dfevals.datasets.load("adult")
    ev = adult.evals(y_true="income", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label=">50K")
    return ev.power(by=["occupation", "sex"], metrics=["accuracy", "recall"], difference=0.02)


def test_bars_end_at_the_detectable_difference_and_filled_markers_have_the_power(plan: Any) -> None:
    ax = plan.plot()
    frame = plan.frame[plan.frame["metric"] == "accuracy"]
    known = frame["detectable"].notna().to_numpy()
    assert not known.all()
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], frame["detectable"][known])
    assert sum(len(lines.get_segments()) for lines in ax.collections) == (~known).sum()  # a dotted line for each other
    points = [line for line in ax.lines if line.get_marker() in ("o", "D")]
    np.testing.assert_allclose([line.get_xdata()[0] for line in points], frame["target"].abs())
    filled = [line.get_markerfacecolor() == line.get_color() for line in points]
    assert filled == (frame["power"] >= 0.8).tolist()
    assert f"found in {sum(filled)} of {len(frame)} rows" in alt_text(ax)


def test_a_metric_is_chosen_by_name(plan: Any) -> None:
    assert plan.plot(metric="recall").get_title(loc="left") == "Differences in recall that the rows can show"
    with pytest.raises(DfevalsError, match="Choices: 'accuracy', 'recall'"):
        plan.plot(metric="f1")


def test_the_legend_stands_over_the_names_of_the_columns(plan: Any) -> None:
    ax = plan.plot()
    ax.figure.canvas.draw()
    box = ax.get_legend().get_window_extent()
    heads = [t.get_window_extent() for t in ax.texts if t.get_text() in ("n", "n needed", "power")]
    assert len(heads) == 3
    assert not any(box.overlaps(head) for head in heads)
