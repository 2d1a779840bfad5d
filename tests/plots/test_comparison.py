"""What charts of comparisons hold, read from their artists."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.exceptions import DfevalsError
from dfevals.plots import alt_text, comparison


@pytest.fixture(scope="module")
def by_race() -> object:
    adult = dfevals.datasets.load("adult")
    ev = adult.evals(y_true="income", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label=">50K")
    return ev.compare("gbm", "logistic", by="race", metrics=["accuracy", "recall"], margin={"accuracy": 0.02})


def test_forest_has_a_row_per_cohort_and_names_verdicts(by_race: object) -> None:
    ax = by_race.plot(metric="recall")  # type: ignore[attr-defined]
    frame = by_race.frame  # type: ignore[attr-defined]
    frame = frame[frame["metric"] == "recall"]
    assert [t.get_text() for t in ax.get_yticklabels()] == frame["race"].tolist()
    drawn = [line.get_xdata()[0] for line in ax.lines if line.get_marker() in ("o", "D") and len(line.get_xdata()) == 1]
    np.testing.assert_allclose(drawn, frame["difference"])
    legend = [t.get_text() for t in ax.get_legend().get_texts()]
    assert legend == ["gbm is better", "no evidence"]
    assert "gbm (<0.001)" in [t.get_text() for t in ax.texts]
    assert "Verdicts: gbm: 3, no evidence: 3" in alt_text(ax)


def test_margin_is_shaded(by_race: object) -> None:
    ax = by_race.plot()  # type: ignore[attr-defined]
    band = [p for p in ax.patches if p.get_gid() == "margin"]
    shape = band[0].get_patch_transform().transform_path(band[0].get_path())  # a polygon before matplotlib 3.9
    assert shape.get_extents().width == pytest.approx(0.04)
    assert not [p for p in by_race.plot(metric="recall").patches if p.get_gid() == "margin"]  # type: ignore[attr-defined]


def test_discordant_bars_are_the_counts(by_race: object) -> None:
    ax = by_race.plot("discordant", share=False)  # type: ignore[attr-defined]
    counts = by_race.discordant  # type: ignore[attr-defined]
    broken, fixed = ax.containers
    assert [-b.get_width() for b in broken] == counts["broken"].tolist()
    assert [b.get_width() for b in fixed] == counts["fixed"].tolist()
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "broken: only logistic is right",
        "fixed: only gbm is right",
    ]


def test_hostile_names_are_drawn_as_text() -> None:
    frame = pd.DataFrame(
        {
            "g": ["(overall)", r"$\frac{1}{0}$"], "metric": "accuracy", "a": "$a$", "b": "b", "difference": [0.1, np.nan],
            "ci_low": [0.0, np.nan], "ci_high": [0.2, np.nan], "verdict": ["$a$", "too few"], "p_corrected": [0.01, np.nan],
            "n": [100, 3], "is_overall": [True, False],
        }
    )  # fmt: skip
    ax = comparison.draw(frame, cohort_columns=["g"], dark=True)
    ax.figure.canvas.draw()
    assert ax.get_yticklabels()[1].get_text() == r"\$\frac{1}{0}\$"


def test_unknown_kinds_and_missing_parts_are_errors(by_race: object) -> None:
    with pytest.raises(DfevalsError, match="kind"):
        by_race.plot("foresst")  # type: ignore[attr-defined]
    with pytest.raises(DfevalsError, match="more than two models"):
        by_race.plot("ranks")  # type: ignore[attr-defined]
    with pytest.raises(DfevalsError, match="fold="):
        by_race.plot("posterior")  # type: ignore[attr-defined]
