"""The confusion matrix: cells, names, order and panels, read from the artists."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dfevals import plots
from dfevals.exceptions import DataError
from dfevals.plots import confusion

BINARY = pd.DataFrame(
    {
        "y_true": [">50K", ">50K", "<=50K", "<=50K"],
        "y_pred": [">50K", "<=50K", ">50K", "<=50K"],
        "count": [30, 10, 0, 1960],
        "share": [0.75, 0.25, 0.0, 1.0],
    }
)


def frame_of(classes: int) -> pd.DataFrame:
    counts = np.arange(classes**2).reshape(classes, classes) + 1
    shares = counts / counts.sum(axis=1, keepdims=True)
    names = [f"class {at}" for at in range(classes)]
    rows = [(a, b, counts[i, j], shares[i, j]) for i, a in enumerate(names) for j, b in enumerate(names)]
    return pd.DataFrame(rows, columns=["y_true", "y_pred", "count", "share"])


def cells(ax: confusion.Axes) -> dict[tuple[float, float], str]:
    return {text.get_position(): text.get_text() for text in ax.texts}


def test_binary_cells_are_named_counted_and_shared() -> None:
    ax = confusion.draw(BINARY, pos_label=">50K", labels=["<=50K", ">50K"], title="gbm")
    assert cells(ax) == {
        (0.5, 0.5): "TN\n1,960\n100%",
        (1.5, 0.5): "FP\n0",
        (0.5, 1.5): "FN\n10\n25%",
        (1.5, 1.5): "TP\n30\n75%",
    }
    assert [label.get_text() for label in ax.get_yticklabels()] == ["<=50K", ">50K"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")


@pytest.mark.parametrize("positive", ["yes", "no"])
def test_a_binary_result_names_its_cells(positive: str) -> None:
    truth, predicted = ["yes"] * 5 + ["no"] * 9, ["yes"] * 3 + ["no"] * 2 + ["yes"] * 1 + ["no"] * 8
    df = pd.DataFrame({"y": truth, "p": predicted})
    found = df.evals(y_true="y", y_pred="p", pos_label=positive).confusion().plot()
    said = sorted(text.split("\n")[:2] for text in cells(found).values())
    counted = {"yes": [["FN", "2"], ["FP", "1"], ["TN", "8"], ["TP", "3"]],
               "no": [["FN", "1"], ["FP", "2"], ["TN", "3"], ["TP", "8"]]}  # fmt: skip
    assert said == counted[positive]
    several = pd.concat([df, df[:1].assign(y="maybe")]).evals(y_true="y", y_pred="p").confusion().plot()
    assert not any(text.startswith(("T", "F")) for text in cells(several).values())


def test_without_labels_the_frame_gives_the_order() -> None:
    ax = confusion.draw(BINARY)
    assert cells(ax)[(0.5, 0.5)] == "30\n75%"


def test_twenty_classes_keep_room_for_counts_and_shares() -> None:
    ax = confusion.draw(frame_of(20))
    assert len(cells(ax)) == 400
    assert cells(ax)[(19.5, 19.5)].startswith("400\n")
    assert ax.figure.get_size_inches()[1] / 20 > 0.5


def test_colours_run_from_none_to_all() -> None:
    mesh = confusion.draw(frame_of(3)).collections[0]
    assert mesh.get_clim() == (0, 1)
    np.testing.assert_allclose(np.asarray(mesh.get_array())[0], np.array([1, 2, 3]) / 6)


def test_colours_can_show_counts() -> None:
    mesh = confusion.draw(frame_of(3), normalize=False).collections[0]
    assert mesh.get_clim() == (0, 9)
    np.testing.assert_allclose(np.asarray(mesh.get_array())[0], [1, 2, 3])


def test_a_class_without_rows_shows_counts_of_none() -> None:
    frame = BINARY.assign(count=[0, 0, 5, 15], share=[np.nan, np.nan, 0.25, 0.75])
    ax = confusion.draw(frame, pos_label=">50K")
    assert cells(ax)[(0.5, 0.5)] == "TP\n0"
    assert cells(ax)[(1.5, 0.5)] == "FN\n0"


def test_several_cohorts_make_panels_with_the_same_classes() -> None:
    cohorts = [BINARY.assign(sex=name) for name in ("(overall)", "F", "M")]
    frame = pd.concat([*cohorts, BINARY.iloc[:2].assign(sex="X")])
    axes = confusion.draw(frame, cohort_columns=["sex"], pos_label=">50K", title="By sex")
    assert [ax.get_title(loc="left") for ax in axes] == ["(overall)", "F", "M", "X"]
    assert all(len(ax.get_xticks()) == 2 for ax in axes)
    assert len(axes[0].figure.axes) == 4
    assert axes[0].figure.get_suptitle() == "By sex · rows and share of the true class"
    assert plots.alt_text(axes[0].figure).count("Confusion matrix of") == 4
    few = confusion.draw(frame, cohort_columns=["sex"], limit=2, title="By sex")
    assert len(few) == 2
    assert "first 2 of 4" in few[0].figure.get_suptitle()
    with pytest.raises(DataError, match="cohort_columns="):
        confusion.draw(frame)
    with pytest.raises(DataError, match="one matrix, but the frame has 4"):
        confusion.draw(frame, axes[0], cohort_columns=["sex"])


def test_making_panels_does_not_render_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rendering every panel anew for each further one takes time that grows with their square."""
    cohorts = pd.concat([BINARY.assign(sex=name) for name in ("(overall)", "F", "M")])
    with monkeypatch.context() as patch:
        rendered: list[object] = []
        patch.setattr("matplotlib.axes.Axes.draw", lambda ax, renderer: rendered.append(ax))
        axes = confusion.draw(cohorts, cohort_columns=["sex"])
    assert len(axes) == 3
    assert not rendered
    assert axes[0].figure.get_visible()


def test_models_make_panels_too() -> None:
    frame = pd.concat([BINARY.assign(model=name) for name in ("gbm", "logistic")])
    assert [ax.get_title(loc="left") for ax in confusion.draw(frame)] == ["gbm", "logistic"]


def test_alt_text_names_the_commonest_error() -> None:
    words = "Confusion matrix of gbm, 2 classes, n = 2,000. Most frequent error: >50K predicted as <=50K, 10 rows, 25% as share of the true class."
    assert plots.alt_text(confusion.draw(BINARY, title="gbm")) == words


def test_hostile_labels_are_text() -> None:
    ax = confusion.draw(BINARY.replace(">50K", "$\\alpha$\u202e"), dark=True)
    assert ax.get_yticklabels()[0].get_text() == "\\$\\alpha\\$⟨U+202E⟩"
