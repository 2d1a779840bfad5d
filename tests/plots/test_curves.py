"""Charts of curves, gains, thresholds and errors: read from the artists, not from pixels."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from dfevals import plots
from dfevals.exceptions import DfevalsError
from dfevals.plots import style

KINDS = ("roc", "pr", "det", "cap")


def frame_of(n: int = 400, groups: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    y = rng.random(n) < 0.3
    return pd.DataFrame(
        {
            "y": y.astype(int),
            "p": 1 / (1 + np.exp(-(rng.normal(size=n) + 1.5 * y - 1))),
            "q": rng.random(n),
            "g": rng.choice([f"group {i}" for i in range(groups)], n),
        }
    )


def evaluation(frame: pd.DataFrame | None = None, score: Any = "p") -> Any:
    return (frame_of() if frame is None else frame).evals(y_true="y", y_score=score, pos_label=1)


def drawn(ax: Any, gid: str) -> list[Any]:
    return [artist for artist in ax.get_children() if artist.get_gid() == gid]


def keys(ax: Any) -> list[str]:
    return [text.get_text() for text in drawn(ax, "key")]


def grid(axes: Any) -> list[Any]:
    return list(np.atleast_1d(axes))


@pytest.mark.parametrize("kind", KINDS)
def test_a_curve_has_a_band_an_operating_point_and_words(kind: str) -> None:
    ax = getattr(evaluation(), kind)().plot()
    assert len(drawn(ax, "curve")) == len(drawn(ax, "band")) == len(drawn(ax, "operating")) == 1
    assert "95% bands" in plots.alt_text(ax)
    assert any("0." in text for text in keys(ax))


def test_the_line_is_the_frame() -> None:
    result = evaluation().roc()
    (line,) = drawn(result.plot(), "curve")
    np.testing.assert_array_equal(line.get_xydata(), result.frame[["fpr", "tpr"]].to_numpy())


def test_precision_and_recall_show_base_rate_and_iso_f1() -> None:
    ax = evaluation().pr().plot()
    assert len(drawn(ax, "iso-F1")) == 4
    (base,) = drawn(ax, "base rate")
    assert base.get_ydata()[0] == pytest.approx(frame_of()["y"].mean())


@pytest.mark.parametrize(
    ("kind", "dark", "groups"), [("roc", True, 8), ("pr", False, 3), ("det", False, 1), ("cap", True, 2)]
)
def test_cohorts_are_panels_with_overall_in_grey(kind: str, dark: bool, groups: int) -> None:
    axes = grid(getattr(evaluation(frame_of(groups=groups)), kind)(by="g").plot(dark=dark))
    if groups > 1:
        assert [ax.get_title(loc="left") for ax in axes] == [f"group {i}" for i in range(groups)]
    for ax in axes:
        (quiet,), (own,) = drawn(ax, "quiet"), drawn(ax, "curve")
        assert quiet.get_color() == style.OVERALL[dark]
        assert own.get_color() == style.color(ax, 0)
        assert ax.get_xlim() == axes[0].get_xlim()


def test_models_share_a_panel_and_are_named_in_their_colours() -> None:
    ax = evaluation(score={"good": "p", "random": "q"}).roc().plot()
    assert [text.split("  ")[0] for text in keys(ax)] == ["good", "random", "n = 400"]
    shades = [style.legible(ax, line.get_color()) for line in drawn(ax, "curve")]
    assert [text.get_color() for text in drawn(ax, "key")][:2] == shades
    axes = grid(evaluation(score={"good": "p", "random": "q"}).roc(by="g").plot(model=["random"]))
    assert [len(drawn(panel, "curve")) for panel in axes] == [1, 1]
    with pytest.raises(DfevalsError, match="Did you mean 'good'"):
        evaluation(score={"good": "p", "random": "q"}).roc().plot(model="god")


def test_one_ax_takes_all_cohorts() -> None:
    _, ax = plt.subplots()
    result = evaluation().roc(by="g")
    assert result.plot(ax=ax) is ax
    assert len(drawn(ax, "curve")) == 2
    assert len(drawn(ax, "quiet")) == 1
    assert len(keys(ax)) == 3


def test_many_cohorts_are_cut_and_said() -> None:
    axes = grid(evaluation(frame_of(groups=15)).roc(by="g").plot(limit=4))
    assert len(axes) == 4
    assert "first 4 of 15" in axes[0].figure.get_suptitle()


@pytest.mark.parametrize(
    "kind", [*KINDS, "gain", "lift", "rate", "ks", "profit", "roi", "objective", "metrics", "decision"]
)
def test_cohorts_without_a_curve_are_labelled_empty_panels(kind: str) -> None:
    df = frame_of(80)
    df.loc[df.index[:10], ["g", "y"]] = ["only negatives", 0]
    ev = evaluation(df)
    if kind in KINDS:
        axes = getattr(ev, kind)(by="g").plot()
    elif kind in ("objective", "metrics", "decision"):
        axes = ev.thresholds(by="g", objective="f1", n_resamples=20).plot(kind)
    else:
        axes = ev.gains(by="g", value=10, cost=1, n_resamples=20).plot(kind)
    (ax,) = (panel for panel in grid(axes) if panel.get_title(loc="left") == "only negatives")
    assert "no positives" in "".join(text.get_text() for text in drawn(ax, "empty"))
    assert "no positives" in plots.alt_text(ax)


@pytest.mark.parametrize("kind", ["roc", "det"])
def test_two_rows_and_constant_scores(kind: str) -> None:
    for df in (frame_of(60).iloc[[0, 1]].assign(y=[0, 1]), frame_of(60).assign(p=0.5)):
        ax = getattr(evaluation(df), kind)().plot()
        assert len(drawn(ax, "curve")) == 1


@pytest.mark.parametrize("kind", ["gain", "lift", "rate", "ks", "profit", "roi"])
def test_gains_have_bands_and_words(kind: str) -> None:
    ax = evaluation().gains(value=10, cost=2, n_resamples=20).plot(kind)
    assert drawn(ax, "curve")
    assert drawn(ax, "band")
    assert "95% intervals" in plots.alt_text(ax)
    with pytest.raises(DfevalsError, match="Did you mean 'gain'"):
        evaluation().gains().plot("gian")


def test_gain_has_perfect_and_random_lines_and_its_bins() -> None:
    result = evaluation().gains(quantiles=5)
    ax = result.plot()
    assert len(drawn(ax, "perfect")) == len(drawn(ax, "random")) == 1
    np.testing.assert_allclose(drawn(ax, "bins")[0].get_ydata(), result.frame["gain"])


def test_ks_marks_the_greatest_distance() -> None:
    result = evaluation().gains()
    ax = result.plot("ks")
    (segment,) = drawn(ax, "ks")[0].get_segments()
    assert segment[1, 1] - segment[0, 1] == pytest.approx(result.summary["ks"].item())


def test_contacts_that_never_pay_are_said() -> None:
    ax = evaluation().gains(value=1, cost=9, n_resamples=20).plot("profit")
    assert "never pays" in " ".join(keys(ax))


@pytest.mark.parametrize("kind", ["objective", "metrics", "decision", "best"])
def test_thresholds_are_drawn(kind: str) -> None:
    result = evaluation().thresholds(by="g", cost={"fp": 1, "fn": 3}, n_resamples=30)
    axes = grid(result.plot(kind))
    assert plots.alt_text(axes[0])
    if kind == "objective":
        (dot,) = drawn(axes[0], "best")
        assert dot.get_xdata()[0] == result.best["threshold"].iloc[1]
        assert drawn(axes[0], "interval")
    if kind == "decision":
        assert len(drawn(axes[0], "all")) == len(drawn(axes[0], "none")) == 1


def test_net_benefit_is_said_without_its_gaps() -> None:
    rng = np.random.default_rng(3)
    score = rng.choice([0.1, 0.4, 0.8], 3000, p=[0.2, 0.7, 0.1])
    rate = np.select([score == 0.1, score == 0.4], [0.05, 0.1], 0.95)  # acting on scores of .4 does harm
    df = pd.DataFrame({"y": (rng.random(3000) < rate).astype(int), "p": score})
    result = df.evals(y_true="y", y_score="p", pos_label=1).thresholds(n_resamples=0)
    table = result.net_benefit
    x, y = table["threshold"].to_numpy(), table["net_benefit"].to_numpy()
    above = y > np.maximum(table["treat_all"], 0)
    inner = ~above & (x > x[above][0]) & (x < x[above][-1])
    assert (y[inner] < 0).any()
    ends = x[above & ~np.append(above[1:], False)]
    starts = x[above & ~np.insert(above[:-1], 0, False)]
    assert len(ends) == 2
    told = f"above both at {starts[0]:.2f}–{ends[0]:.2f} and {starts[1]:.2f}–{ends[1]:.2f}"
    ax = result.plot("decision")
    assert told in plots.alt_text(ax)
    assert told in " ".join(keys(ax)).replace("\n", " ")


def test_acting_that_never_pays_is_said() -> None:
    ax = evaluation(frame_of().assign(p=0.4)).thresholds(cost={"fp": 50, "fn": 1}, n_resamples=20).plot()
    assert "acting never pays" in " ".join(keys(ax))


def test_confused_pairs_are_bars_with_intervals() -> None:
    rng = np.random.default_rng(0)
    df = pd.DataFrame({"y": rng.choice(list("abc"), 90), "g": rng.choice(["u", "v"], 90)})
    df["p"] = np.where(rng.random(90) < 0.7, df["y"], rng.choice(["a", "$b$", "c"], 90))
    result = df.evals(y_true="y", y_pred="p").errors(by="g")
    axes = grid(result.plot("pairs", top=4))
    assert len(axes) == 3
    first = result.frame.iloc[0]
    assert axes[0].patches[0].get_width() == pytest.approx(first["share"])
    assert all("→" in label.get_text() for label in axes[0].get_yticklabels())
    assert "Most frequent errors" in plots.alt_text(axes[0])
    assert result.plot("matrix") is not None
    assert result.plot("classes") is not None
    with pytest.raises(DfevalsError, match="one cohort"):
        result.plot("pairs", ax=axes[0])


def test_a_million_rows_are_few_points() -> None:
    rng = np.random.default_rng(0)
    y = rng.random(200_000) < 0.2
    df = pd.DataFrame({"y": y.astype(int), "p": rng.random(200_000) ** (1 + y)})
    for ax in (evaluation(df).roc().plot(), evaluation(df).gains().plot()):
        assert sum(len(line.get_xdata()) for line in ax.get_lines()) < 3000


def test_hostile_names_are_text() -> None:
    df = frame_of().assign(g=lambda d: d["g"].replace("group 0", "$x$\u202e<b>"))
    axes = grid(evaluation(df).roc(by="g").plot())
    assert any("⟨U+202E⟩" in ax.get_title(loc="left") and "\\$" in ax.get_title(loc="left") for ax in axes)


def test_many_lines_are_named_below_the_panel_and_told_apart() -> None:
    frame = frame_of(900, groups=9)
    _, ax = plt.subplots(figsize=(4, 3.2), layout="constrained")
    evaluation(frame).roc(by="g").plot(ax=ax)
    legend = ax.get_legend()
    assert legend is not None
    assert len(legend.get_texts()) == 10
    assert not keys(ax)
    looks = {(line.get_color(), line.get_linestyle(), str(line._dash_pattern)) for line in drawn(ax, "curve")}
    assert len(looks) == 9
    ax.figure.canvas.draw()
    assert legend.get_window_extent().y1 <= ax.xaxis.label.get_window_extent().y0 + 2


def test_an_empty_panel_holds_its_reason_once_and_no_line() -> None:
    frame = frame_of(60).assign(y=0)
    for ax in (
        evaluation(frame, {"one": "p", "two": "q"}).roc().plot(),
        evaluation(frame, {"one": "p", "two": "q"}).gains().plot(),
        evaluation(frame, {"one": "p", "two": "q"}).cap().plot(),
    ):
        (reason,) = drawn(ax, "empty")
        assert reason.get_text() == "no positives"
        assert not ax.get_lines()
        assert "Not drawn: no positives" in plots.alt_text(ax)


@pytest.mark.parametrize("kind", ["lift", "rate"])
def test_panels_that_share_a_scale_show_every_interval(kind: str) -> None:
    frame = frame_of(600, groups=4)
    frame.loc[frame["g"] == "group 3", "y"] = (frame["p"] > 0.5).astype(int)
    result = evaluation(frame).gains(by="g")
    highest = result.frame[f"{kind}_high"].max()
    assert all(ax.get_ylim()[1] >= highest for ax in grid(result.plot(kind)))


def test_one_score_for_all_is_a_point() -> None:
    ax = evaluation(frame_of(80).assign(p=0.3)).pr().plot()
    assert any(line.get_marker() == "o" and len(line.get_xdata()) == 1 for line in ax.get_lines())


def test_the_metrics_of_several_cohorts_do_not_fit_one_panel() -> None:
    _, ax = plt.subplots()
    with pytest.raises(DfevalsError, match="one cohort"):
        evaluation().thresholds(by="g", cost={"fp": 1, "fn": 2}).plot("metrics", ax=ax)


def test_each_metric_is_named_once_and_names_keep_apart() -> None:
    ax = evaluation().thresholds(cost={"fp": 1, "fn": 2}).plot("metrics")
    named = [text for text in drawn(ax, "key") if not text.get_text().startswith("n =")]
    assert {text.get_text() for text in named} == {"precision", "recall", "f1", "fpr", "selection rate"}
