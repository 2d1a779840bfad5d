"""The theme leaves nothing behind, its colours can be told apart, and files carry their text alternative."""

from __future__ import annotations

import itertools
import pickle
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from dfevals import plots, words
from dfevals.plots import style


def luminance(color: object) -> float:
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(color)]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def contrast(a: object, b: object) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_text_and_marks_stand_out_from_the_ground(dark: bool) -> None:
    with plots.theme(dark):
        ground = mpl.rcParams["axes.facecolor"]
        assert contrast(mpl.rcParams["text.color"], ground) > 7
        assert contrast(mpl.rcParams["axes.edgecolor"], ground) > 3
        _, ax = plt.subplots()
    for at in range(3):
        assert contrast(style.color(ax, at), ground) > 3
    assert contrast(style.ink(ax)[0], ground) > 7


def test_the_theme_follows_the_current_style() -> None:
    with mpl.rc_context({"figure.facecolor": "black"}), plots.theme():
        assert luminance(mpl.rcParams["text.color"]) > 0.7
        assert mpl.rcParams["axes.facecolor"] == "black"


def test_saved_files_describe_themselves(tmp_path: Path) -> None:
    _, ax = plt.subplots()
    style.describe(ax, "A chart of nothing.")
    for name in ("chart.png", "chart.svg"):
        assert b"A chart of nothing." in plots.save(ax, tmp_path / name).read_bytes()
    assert plots.alt_text(ax.figure) == "A chart of nothing."
    plt.close(ax.figure)
    assert plots.alt_text(plt.figure()) == ""


def test_readable_numbers_on_every_cell() -> None:
    for ground in np.random.default_rng(0).uniform(size=(200, 3)):
        best = max(contrast("#1F1F1F", ground), contrast("#FFFFFF", ground))
        assert best > 4
        assert contrast(style._ink_on(ground), ground) > 0.99 * best


def test_importing_plots_and_results_is_light() -> None:
    code = "import sys, dfevals.plots, dfevals.results.result; print(sorted({'matplotlib', 'seaborn', 'scipy', 'IPython'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("dark", [False, True])
def test_every_colour_can_be_read_as_text(dark: bool) -> None:
    with plots.theme(dark):
        _, ax = plt.subplots()
    for at in range(len(style.PALETTE)):
        assert contrast(style.legible(ax, style.color(ax, at)), ax.get_facecolor()) >= 4.49
    assert style.legible(ax, style.color(ax, 0)) == style.color(ax, 0)


def test_a_notebook_keeps_the_words_with_the_picture() -> None:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.pylabtools import select_figure_formats

    _, axes = plt.subplots(1, 2)
    style.describe(axes[0], "Left panel.")
    style.describe(axes[1], "Right <b>panel</b>.")
    shell = InteractiveShell()
    select_figure_formats(shell, {"png"})
    data, metadata = shell.display_formatter.format(axes[0].figure)  # type: ignore[union-attr]
    assert data["image/png"]
    assert metadata["image/png"]["alt"] == "Left panel. Right <b>panel</b>."


def test_a_described_figure_can_be_pickled() -> None:
    figure, ax = plt.subplots()
    style.describe(ax, "Words.")
    assert pickle.loads(pickle.dumps(figure)).axes  # noqa: S301 - our own bytes


def test_fonts_of_other_scripts_follow_the_usual_ones() -> None:
    usual = mpl.rcParams["font.family"]
    with plots.theme():
        family = mpl.rcParams["font.family"]
        _, ax = plt.subplots()
        text = ax.set_title("日本語")
    assert family[: len(usual)] == usual
    assert text.get_fontfamily() == family
    text.set_text("")  # a machine without such a font would warn when it draws


@pytest.mark.parametrize("limit", [12, 18, 28, 48])
def test_shortened_names_stay_different(limit: int) -> None:
    names = [
        f"the customers of shop number {i} who came back within {j} days and bought again" for i in "12" for j in "34"
    ]
    short = words.shorten_apart([*names, "rest", names[0]], limit)
    assert len(set(short)) == 5
    assert short[-1] == short[0]
    assert short[4] == "rest"
    assert max(map(len, short)) <= limit


def test_titles_of_panels_and_names_of_cells_stay_apart() -> None:
    names = [f"the customers of shop number {i} who came back within a month and bought again" for i in range(4)]
    frame = pd.DataFrame({"y": ["a", "b", "c", "a"] * 20, "p": ["a", "b", "b", "c"] * 20, "g": np.repeat(names, 20)})
    axes = frame.evals(y_true="y", y_pred="p").confusion(by="g").plot()
    axes[0].figure.canvas.draw()
    boxes = [ax._left_title.get_window_extent() for ax in axes]
    titles = [ax.get_title(loc="left") for ax in axes]
    assert len(set(titles)) == 5
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
