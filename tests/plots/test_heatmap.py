"""The heat map: cells, texts, hatching and colours, read from the artists."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from dfevals import plots
from dfevals.exceptions import DataError
from dfevals.plots import heatmap, style
from dfevals.results.result import MetricsResult


def frame_of(rows: int, columns: int, models: tuple[str, ...] = ("gbm",)) -> pd.DataFrame:
    cells = [("(overall)", "(overall)"), *((f"r{i}", f"k{j}") for i in range(rows) for j in range(columns))]
    lines = []
    for model in models:
        for at, (a, b) in enumerate(cells):
            value = 0.5 + 0.3 * at / len(cells)
            number = {"value": value, "ci_low": value - 0.02, "ci_high": value + 0.02, "n": 1200 + at}
            lines.append(
                {"a": a, "b": b, "model": model, "metric": "recall", **number, "note": "", "is_overall": at == 0}
            )
    return pd.DataFrame(lines)


@pytest.mark.parametrize(("rows", "columns"), [(2, 5), (20, 20)])
def test_each_cell_holds_value_and_n(rows: int, columns: int) -> None:
    ax = heatmap.draw(frame_of(rows, columns), rows="a", columns="b")
    cells = [text for text in ax.texts if "\n" in text.get_text()]
    assert len(cells) == rows * columns
    crowded = rows == 20
    first = frame_of(rows, columns)["value"][1]
    assert cells[0].get_text() == (f"{first:.2f}\n1.2k" if crowded else f"{first:.3f}\nn=1.2k")
    assert cells[0].get_position() == (0.5, 0.5)
    assert [label.get_text() for label in ax.get_yticklabels()] == [f"r{at}" for at in range(rows)]
    width, height = ax.figure.get_size_inches()
    assert width / columns > 0.5
    assert height / rows > 0.4


def test_colours_are_centred_on_overall() -> None:
    mesh = heatmap.draw(frame_of(2, 3), rows="a", columns="b").collections[0]
    low, high = mesh.get_clim()
    assert (low + high) / 2 == pytest.approx(0.5)
    assert high == pytest.approx(frame_of(2, 3)["value"].max())


def test_too_few_is_hatched_and_does_not_stretch_the_colours() -> None:
    frame = frame_of(2, 3).assign(flag="")
    frame.loc[2, ["value", "flag"]] = [0.0, "too few"]
    ax = heatmap.draw(frame, rows="a", columns="b")
    (hatched,) = [patch for patch in ax.patches if isinstance(patch, Rectangle) and patch.get_hatch()]
    assert hatched.get_xy() == (1, 0)
    assert ax.collections[0].get_clim()[0] > 0.1
    assert "hatched: too few" in [text.get_text() for text in ax.texts]


def test_undefined_cells_differ_from_empty_ones() -> None:
    frame = frame_of(2, 3)
    frame.loc[2, "value"] = np.nan
    ax = heatmap.draw(frame.drop(index=4), rows="a", columns="b")
    cells = {text.get_position(): text.get_text() for text in ax.texts}
    assert cells[(1.5, 0.5)] == "–"
    assert (0.5, 1.5) not in cells


def test_numbers_stand_out_from_their_cells() -> None:
    ax = heatmap.draw(frame_of(2, 5), rows="a", columns="b")
    colors = {text.get_color() for text in ax.texts}
    assert colors == {"#1F1F1F", "#FFFFFF"}


def test_several_models_in_one_map_are_refused() -> None:
    with pytest.raises(DataError, match="choose with metric= and model="):
        heatmap.draw(frame_of(2, 2, ("a", "b")), rows="a", columns="b")


def test_result_draws_a_heat_map_for_two_dimensions_and_panels_for_models() -> None:
    result = MetricsResult(frame_of(2, 3), cohort_columns=["a", "b"])
    ax = result.plot()
    assert ax.get_title(loc="left") == "recall, overall 0.500"
    assert "Lowest r0 · k0" in plots.alt_text(ax)
    panels = MetricsResult(frame_of(2, 3, ("gbm", "logistic")), cohort_columns=["a", "b"]).plot()
    assert [panel.get_title(loc="left") for panel in panels] == ["recall · gbm", "recall · logistic"]
    assert len(result.plot("forest").get_yticks()) == 7


def test_each_is_no_grid() -> None:
    frame = frame_of(2, 3)
    frame.loc[1:3, "b"] = "(all)"
    frame.loc[4:, "a"] = "(all)"
    assert len(MetricsResult(frame, cohort_columns=["a", "b"]).plot().get_yticks()) == 5


def test_models_share_the_colours_of_a_metric() -> None:
    """A colour means one value, in the panel of every model."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.tile(np.arange(400), 2), "model": ["a"] * 400 + ["b"] * 400})
    frame["x"], frame["y"] = np.tile(rng.choice(["p", "q"], 400), 2), np.tile(rng.choice(["r", "s"], 400), 2)
    frame["ok"] = rng.random(800) < np.repeat([0.5, 0.9], 400)
    ev = frame.evals(outcomes=["ok"], model="model", id="id")
    axes = ev.metrics("fail_rate", by=["x", "y"]).plot()
    first, second = (ax.collections[0].get_clim() for ax in axes)
    assert first == second
    values = np.concatenate([ax.collections[0].get_array().compressed() for ax in axes])
    assert first[0] <= values.min() < values.max() <= first[1]


@pytest.mark.parametrize(("metric", "word"), [("recall", "higher"), ("brier", "lower"), ("selection_rate", "")])
def test_blue_is_better_whichever_way_that_is(metric: str, word: str) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 3000)
    score = np.clip(0.35 + 0.3 * y + rng.normal(0, 0.2, 3000), 0, 1)
    frame = pd.DataFrame({"y": y, "p": score, "g": rng.choice(list("ab"), 3000), "h": rng.choice(list("uv"), 3000)})
    ax = frame.evals(y_true="y", y_score="p", pos_label=1).metrics(metric, by=["g", "h"]).plot("heatmap")
    mesh = ax.collections[0]
    low, high = (mesh.cmap(mesh.norm(end))[:3] for end in mesh.get_clim())
    blue = low if word == "lower" else high
    np.testing.assert_allclose(blue, to_rgb(style.DIVERGING[-1]), atol=0.01)
    assert ax.figure.axes[1].get_ylabel() == (f"{word} is better" if word else "")
    titled = heatmap.draw(frame_of(2, 3), rows="a", columns="b", title="Mine", better=word or None)
    assert titled.figure.axes[1].get_ylabel() == (f"recall\n{word} is better" if word else "recall")
    assert (f"({word} is better)" in plots.alt_text(ax)) == bool(word)
