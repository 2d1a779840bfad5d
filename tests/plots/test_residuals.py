"""Charts of errors: kinds, clouds of many rows, tiny and empty data, words."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from dfevals import plots
from dfevals.exceptions import DataError


def predicted(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = rng.gamma(3, 20, n)
    p = y + rng.normal(0, 5, n)
    frame = pd.DataFrame({"y": y, "p": p, "g": rng.choice(list("abc"), n), "h": rng.choice(list("uv"), n)})
    return frame.assign(low=p - 5, high=p + 5)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("n", [8, 3000])
@pytest.mark.parametrize("kind", ["residual", "actual", "qq", "distribution", "decile", "map", "interval", "worst"])
def test_every_kind_draws_and_describes_itself(kind: str, n: int, dark: bool) -> None:
    ev = predicted(n).evals(y_true="y", y_pred="p", y_lower="low", y_upper="high")
    ax = ev.residuals(by=["g", "h"]).plot(kind, dark=dark)
    assert len(plots.alt_text(ax)) > 20


def test_the_overview_has_four_panels() -> None:
    result = predicted(500).evals(y_true="y", y_pred="p").residuals()
    axes = result.plot()
    assert len(axes) == 4
    with pytest.raises(DataError, match="four"):
        result.plot("overview", ax=axes[0])


def test_a_million_rows_become_hexagons() -> None:
    result = predicted(1_000_000).evals(y_true="y", y_pred="p").residuals()
    start = time.process_time()
    ax = result.plot("residual")
    ax.figure.canvas.draw()
    assert time.process_time() - start < 3  # about 0.7 s; slow machines are slow
    cloud = next(artist for artist in ax.collections if artist.get_gid() == "cloud")
    assert len(cloud.get_array()) < 3000
    assert cloud.get_array().sum() == 1_000_000


def test_no_rows_are_labelled() -> None:
    ev = predicted(50).evals(y_true="y", y_pred="p").where("y < 0")
    for kind in ("residual", "actual", "qq"):
        ax = ev.residuals().plot(kind)
        assert [text.get_text() for text in ax.texts] == ["no rows"]
        assert "no rows" in plots.alt_text(ax)
    ev.residuals().plot()


def test_the_map_is_centred_at_no_bias() -> None:
    ax = predicted(2000).evals(y_true="y", y_pred="p").residuals(by=["g", "h"]).plot("map")
    low, high = ax.collections[0].get_clim()
    assert low == -high


def test_scales_fit_the_predictions_and_show_no_error() -> None:
    df = predicted(3000).assign(y=lambda d: d.y + 1e6, p=lambda d: d.p + 1e6 + 50)
    result = df.evals(y_true="y", y_pred="p").residuals()
    low, high = result.plot("actual").get_xlim()
    assert low > 0.99e6
    assert high < 1.01e6
    low, high = result.plot("residual").get_ylim()
    assert low < 0 < high


def test_names_beside_lines_do_not_overlap() -> None:
    df = predicted(4000).assign(g=lambda d: np.random.default_rng(1).choice([f"cohort {i}" for i in range(6)], len(d)))
    ax = df.evals(y_true="y", y_pred="p").residuals(by="g").plot("decile")
    ax.figure.canvas.draw()
    boxes = sorted(t.get_window_extent().intervaly.tolist() for t in ax.texts if t.get_gid() == "name")
    assert len(boxes) == 7
    assert all(below[1] <= above[0] + 2 for below, above in zip(boxes, boxes[1:], strict=False))


@pytest.mark.parametrize("kind", ["residual", "actual", "qq", "decile"])
def test_panels_say_what_they_show_and_of_how_many_rows(kind: str) -> None:
    ax = predicted(500).evals(y_true="y", y_pred="p").residuals().plot(kind)
    assert ax.get_title(loc="left")
    assert any("n = 500" in text.get_text() for text in ax.texts)
