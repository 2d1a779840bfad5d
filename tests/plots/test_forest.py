"""The forest: positions, intervals, reference line and labels, read from the artists."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection

import dfevals
from dfevals import plots
from dfevals.exceptions import DataError, DfevalsError
from dfevals.plots import forest
from dfevals.results.result import MetricsResult


def frame_of(cohorts: int, models: tuple[str, ...] = ("gbm",), metrics: tuple[str, ...] = ("recall",)) -> pd.DataFrame:
    rows = []
    for at in range(cohorts + 1):
        for metric in metrics:
            for shift, model in enumerate(models):
                value = 0.5 + 0.01 * at + 0.1 * shift
                rows.append(
                    {
                        "sex": f"c{at}" if at else "(overall)",
                        "model": model,
                        "metric": metric,
                        "value": value,
                        "ci_low": value - 0.0625,
                        "ci_high": value + 0.0625,
                        "n": 1000 + at,
                        "note": "",
                        "flag": "",
                        "is_overall": at == 0,
                    }
                )
    return pd.DataFrame(rows)


def segments(ax: plots.forest.Axes) -> list[tuple[float, float, float]]:
    lines = [part for part in ax.collections if isinstance(part, LineCollection)]
    ends = [segment for part in lines for segment in part.get_segments()]
    return sorted((float(a[1]), float(a[0]), float(b[0])) for a, b in ends)


@pytest.mark.parametrize("cohorts", [1, 8, 55])
def test_every_cohort_has_a_row_with_its_interval(cohorts: int) -> None:
    ax = forest.draw(frame_of(cohorts), cohort_columns=["sex"])
    drawn = segments(ax)
    assert len(drawn) == cohorts + 1
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "(overall)",
        *(f"c{at + 1}" for at in range(cohorts)),
    ]
    np.testing.assert_allclose([row[0] for row in drawn], ax.get_yticks())
    np.testing.assert_allclose([row[1:] for row in drawn[:2]], [(0.4375, 0.5625), (0.4475, 0.5725)])
    assert ax.get_figure().get_size_inches()[1] == pytest.approx(1.15 + 0.28 * (cohorts + 1))


def test_the_line_stands_at_the_overall_value() -> None:
    ax = forest.draw(frame_of(3), cohort_columns=["sex"])
    (line,) = [line for line in ax.lines if line.get_gid() == "overall"]
    assert line.get_xdata()[0] == 0.5


def test_values_and_counts_are_written_at_the_right() -> None:
    frame = frame_of(2)
    frame.loc[1, "flag"] = "higher"
    frame.loc[2, ["value", "ci_low", "ci_high", "note"]] = [np.nan, np.nan, np.nan, "no positives"]
    texts = [text.get_text() for text in forest.draw(frame, cohort_columns=["sex"]).texts]
    assert texts == [
        "n", "1,000", "1,001", "1,002", "value [interval]", "0.500 [0.438, 0.562]", "0.510 [0.448, 0.573]  ▲ higher",
        "undefined: no positives",
    ]  # fmt: skip


def test_models_are_dodged_coloured_marked_and_named() -> None:
    models = ("gbm", "logistic", "baseline")
    ax = forest.draw(frame_of(4, models), cohort_columns=["sex"])
    heights = [row[0] for row in segments(ax)]
    assert len(set(heights)) == 15
    assert max(abs(heights[at] - ax.get_yticks()[0]) for at in range(3)) < 0.5
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(models)
    points = [line for line in ax.lines if line.get_marker() in "osD" and line.get_gid() is None]
    assert len({line.get_color() for line in points}) == 3
    assert len({line.get_marker() for line in points}) == 3


def test_too_few_is_open_and_dashed_and_does_not_widen_the_axis() -> None:
    frame = frame_of(3)
    frame.loc[2, ["ci_low", "ci_high", "flag"]] = [-5.0, 5.0, "too few"]
    ax = forest.draw(frame, cohort_columns=["sex"])
    left, right = ax.get_xlim()
    assert 0.4 < left < right < 0.7
    (hollow,) = [line for line in ax.lines if line.get_markerfacecolor() == ax.get_facecolor()]
    assert list(hollow.get_xdata()) == [0.52]
    arrows = {line.get_marker() for line in ax.lines} & {"<", ">"}
    assert arrows == {"<", ">"}
    assert any("◇ too few" in text.get_text() for text in ax.texts)


def test_more_cohorts_than_the_limit_are_counted_in_the_title() -> None:
    ax = forest.draw(frame_of(30), cohort_columns=["sex"], limit=10)
    assert len(ax.get_yticks()) == 11
    assert ax.get_title(loc="left") == "recall (first 10 of 30 cohorts)"


def test_names_join_columns_name_those_taken_one_by_one_and_are_not_mathematics() -> None:
    frame = frame_of(1).assign(race=["(overall)", "(all)"]).assign(sex=["(overall)", "$x$\u202e"])
    ax = forest.draw(frame, cohort_columns=["sex", "race"])
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["(overall)", r"sex: \$x\$⟨U+202E⟩"]


def test_draws_into_given_axes_in_their_colours() -> None:
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(facecolor="black", subplot_kw={"facecolor": "black"})
    assert forest.draw(frame_of(2), ax, cohort_columns=["sex"]) is ax
    assert ax.texts[0].get_color() == plots.OVERALL[1]


def test_alt_text_says_what_is_seen() -> None:
    ax = forest.draw(frame_of(3), cohort_columns=["sex"])
    words = "Forest chart of recall for 3 cohorts with 95% intervals. overall 0.500 [0.438, 0.562]; lowest c1 0.510, highest c3 0.530."
    assert plots.alt_text(ax) == plots.alt_text(ax.figure) == words


def test_result_draws_panels_per_metric_and_chooses() -> None:
    frame = frame_of(4, ("gbm", "logistic"), ("recall", "f1", "precision", "auc", "mcc"))
    result = MetricsResult(frame, cohort_columns=["sex"])
    panels = result.plot()
    assert [panel.get_title(loc="left") for panel in panels] == ["recall", "f1", "precision", "auc"]
    assert "4 of 5 metrics" in panels[0].figure.get_suptitle()
    one = result.plot(metric="mcc", model="logistic")
    assert one.get_title(loc="left") == "mcc"
    assert one.get_legend() is None
    with pytest.raises(DfevalsError, match="Did you mean 'recall'"):
        result.plot(metric="recal")
    with pytest.raises(DfevalsError, match="one panel"):
        result.plot(ax=one)
    with pytest.raises(DfevalsError, match="two cohort columns"):
        result.plot(kind="heatmap")
    with pytest.raises(DataError, match="nothing to draw"):
        MetricsResult(frame.iloc[:0], cohort_columns=["sex"]).plot()


def test_frames_without_intervals_or_overall_are_drawn() -> None:
    frame = frame_of(3).drop(columns=["n", "flag", "note"]).iloc[1:]
    frame[["ci_low", "ci_high"]] = np.nan
    ax = forest.draw(frame, cohort_columns=["sex"], level=None)
    assert segments(ax) == []
    assert ax.get_xlabel() == "recall"


def test_cohorts_that_could_be_taken_for_another_keep_their_own_names() -> None:
    frame = pd.DataFrame(
        {
            "loan": ["(overall)", "yes", "(all)", "", "(overall)", "yes"],
            "housing": ["(overall)", "(all)", "yes", "", "(overall)", "yes"],
            "is_overall": [True, False, False, False, False, False],
        }
    )
    names = forest.names(frame, ["loan", "housing"])
    assert names == ["(overall)", "loan: yes", "housing: yes", '"" · ""', "(overall) · (overall)", "yes · yes"]
    assert forest.names(frame, ["loan"]) == ["(overall)", "yes", "(overall)", '""', '"(overall)"', "yes"]


def test_each_column_of_its_own_is_drawn_with_its_own_numbers() -> None:
    df = pd.DataFrame({"y": [1, 0] * 40, "p": [1, 0, 0, 1] * 20, "loan": list("nnyy") * 20, "car": list("nyyn") * 20})
    result = df.evals(y_true="y", y_pred="p").metrics("accuracy", by=dfevals.each("loan", "car"))
    ax = result.plot()
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "(overall)",
        "loan: n",
        "loan: y",
        "car: n",
        "car: y",
    ]


def test_classes_show_what_they_are_measured_on() -> None:
    df = pd.DataFrame({"y": list("aaab") * 20, "p": list("aabb") * 20})
    ax = df.evals(y_true="y", y_pred="p", task="multiclass").metrics("recall", by_class=True).plot()
    texts = [text.get_text() for text in ax.texts]
    assert texts[:3] == ["support", "60", "20"]


def test_long_names_widen_the_figure() -> None:
    short, long = (forest.draw(frame_of(2).replace({"c1": name}), cohort_columns=["sex"]) for name in ("c1", "c" * 48))
    assert long.figure.get_size_inches()[0] > short.figure.get_size_inches()[0] + 2
