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
    assert ev.calibration().plot().get_title(loc="left") == "good"


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
