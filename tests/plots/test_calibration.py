"""Reliability diagrams: what is drawn, many rows, empty panels, words."""

from __future__ import annotations

import time

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from dfevals import plots
from dfevals.exceptions import DataError


def scored(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    p = rng.beta(1.2, 2, n)
    return pd.DataFrame({"y": (rng.random(n) < p).astype(int), "p": p, "g": rng.integers(0, 3, n).astype(str)})


def of(ax: object, gid: str) -> list[object]:
    return [artist for artist in [*ax.lines, *ax.collections, *ax.patches] if artist.get_gid() == gid]  # type: ignore[attr-defined]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("strategy", ["corp", "uniform", "quantile", "smooth"])
@pytest.mark.parametrize("band", ["consistency", "confidence"])
def test_a_panel_for_every_cohort(strategy: str, band: str, dark: bool) -> None:
    result = (
        scored(300).evals(y_true="y", y_score="p").calibration(by="g", strategy=strategy, band=band, n_resamples=50)
    )
    axes = result.plot(dark=dark)
    assert [ax.get_title(loc="left") for ax in axes] == ["(overall)", "0", "1", "2"]
    for ax in axes:
        assert len(of(ax, "curve")) == 1
        assert len(of(ax, "diagonal")) == 1
        assert len(of(ax, "overall")) == (ax is not axes[0])
        assert len(of(ax, "band")) == (strategy in ("corp", "smooth"))
        bars = of(ax.child_axes[0], "histogram")
        assert sum(bar.get_height() for bar in bars) > 50  # type: ignore[attr-defined]
        assert "Reliability diagram of" in plots.alt_text(ax)


def test_the_curve_is_that_of_the_frame() -> None:
    result = scored(200).evals(y_true="y", y_score="p").calibration(strategy="uniform")
    x, y = of(result.plot(), "curve")[0].get_data()  # type: ignore[attr-defined]
    np.testing.assert_allclose(x, result.frame["score_mean"])
    np.testing.assert_allclose(y, result.frame["observed"])


def test_into_a_given_panel() -> None:
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    ev = scored(100).evals(y_true="y", y_score="p")
    assert ev.calibration().plot(ax=ax) is ax
    with pytest.raises(DataError, match="4"):
        ev.calibration(by="g").plot(ax=ax)


def test_no_rows_and_tiny_cohorts_are_labelled() -> None:
    df = scored(40)
    df.loc[0, "g"] = "lone"
    ev = df.evals(y_true="y", y_score="p")
    axes = ev.calibration(by="g").plot()
    assert any("n = 1" in text.get_text() for ax in axes for text in ax.texts)
    ax = ev.where("p > 2").calibration().plot()
    assert [text.get_text() for text in ax.texts] == ["no rows"]


def test_a_million_rows_are_few_marks() -> None:
    result = scored(1_000_000).evals(y_true="y", y_score="p").calibration(n_resamples=50)
    mpl.use("Agg")
    start = time.process_time()
    ax = result.plot()
    ax.figure.canvas.draw()
    assert time.process_time() - start < 3  # about 0.3 s; slow machines are slow
    assert sum(len(line.get_xdata()) for line in ax.lines) < 5000


def test_many_cohorts_are_cut_with_a_word() -> None:
    df = scored(400).assign(g=lambda d: d.index % 20)
    axes = df.evals(y_true="y", y_score="p").calibration(by="g", band=None).plot(limit=6)
    assert len(axes) == 6
    assert "first 6 of 21" in axes[0].figure.get_suptitle()


def test_the_model_is_named_where_there_are_several() -> None:
    ev = scored(200).assign(q=0.4).evals(y_true="y", y_score={"good": "p", "flat": "q"})
    assert ev.calibration().plot(model="flat").get_title(loc="left") == "flat"
    assert ev.calibration().plot(model="good").get_title(loc="left") == "good"


def test_the_caption_leaves_the_curve_free() -> None:
    high = scored(300).assign(y=1)
    ax = high.evals(y_true="y", y_score="p", pos_label=1).calibration().plot()
    caption = next(text for text in ax.texts if "n = " in text.get_text())
    assert caption.get_va() == "bottom"


def test_few_rows_are_said_to_be_few() -> None:
    ax = scored(5).evals(y_true="y", y_score="p").calibration(strategy="smooth").plot()
    assert [text.get_text() for text in ax.texts] == ["too few rows for a smooth curve"]


def test_nothing_is_cut_off() -> None:
    figure = scored(300).evals(y_true="y", y_score="p").calibration(by="g").plot()[0].figure
    figure.canvas.draw()
    box = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height


def several() -> pd.DataFrame:
    frame = scored(400, 5)
    return frame.assign(q=frame["p"] ** 2, r=frame["p"] ** 0.5)


def titles(axes: object) -> list[str]:
    return [ax.get_title(loc="left") for ax in np.ravel(axes)]  # type: ignore[call-overload]


def test_every_model_is_drawn() -> None:
    models = {"one": "p", "two": "q", "three": "r"}
    ev = several().evals(y_true="y", y_score=models, pos_label=1)
    assert titles(ev.calibration(n_resamples=20).plot()) == [*models]
    assert titles(ev.recalibrate(models=["one", "two"]).plot()) == [
        f"{model} · {stage}" for model in ("one", "two") for stage in ("before", "after")
    ]
    assert titles(ev.thresholds(n_resamples=0).plot("metrics")) == [*models]
    result = ev.calibration(by="g", n_resamples=20)
    shown = titles(result.plot())
    assert shown[:3] == [f"{model} · (overall)" for model in models]
    assert {name.split(" · ")[0] for name in titles(result.plot(limit=4))} == {*models}
    assert titles(result.plot(model=["two"])) == ["(overall)", "0", "1", "2"]
    for ax, name in zip(np.ravel(result.plot()), shown, strict=True):
        assert len(of(ax, "overall")) == ("(overall)" not in name)


def test_one_axes_holds_the_first_model_and_says_so() -> None:
    import matplotlib.pyplot as plt

    ev = several().evals(y_true="y", y_score={"one": "p", "two": "q"}, pos_label=1)
    ax = plt.subplots()[1]
    assert ev.calibration(n_resamples=20).plot(ax=ax) is ax
    assert ax.get_title(loc="left") == "one"
    assert ev.confusion().plot().get_title(loc="left") == "one (first of 2 models)"
    assert ev.confusion().plot(model="two").get_title(loc="left") == "two"


@pytest.mark.parametrize("strategy", ["corp", "quantile", "smooth"])
@pytest.mark.parametrize("share", [0.03, 0.004])
def test_rare_positives_fill_the_diagram(strategy: str, share: float) -> None:
    rng = np.random.default_rng(0)
    p = rng.beta(0.8, 0.8 / share, 6000)
    frame = pd.DataFrame({"y": (rng.random(6000) < p).astype(int), "p": p})
    ax = frame.evals(y_true="y", y_score="p", pos_label=1).calibration(strategy=strategy, n_resamples=20).plot()
    score = np.quantile(p, 0.9)
    across, up = ax.transAxes.inverted().transform(ax.transData.transform([(score, score)]))[0]
    assert across == pytest.approx(up)
    assert across > 0.2
    assert "root scale" in ax.child_axes[0].get_xlabel() or ax.get_xlim()[1] < 0.5
    curve = of(ax, "curve")[0]
    low, high = ax.get_ylim()
    assert all(low <= y <= high for y in curve.get_ydata())  # type: ignore[attr-defined]
