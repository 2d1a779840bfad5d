"""Names that users wrote yesterday work today; one thing has one spelling, and its other spellings are understood."""

from __future__ import annotations

import inspect
import json
from ast import literal_eval
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals import Gate
from dfevals.exceptions import DfevalsError
from surface import QUESTIONS, evaluation, rows, surface

ONCE: dict[str, Any] = json.loads((Path(__file__).parent / "fixtures" / "surface.json").read_text(encoding="utf-8"))
METHODS: dict[str, dict[str, str]] = {name: k for name, k in ONCE["classes"]["Evaluation"].items() if k is not None}
GIVEN: dict[str, dict[str, Any]] = {
    **QUESTIONS,
    "gate": {"rules": [Gate("recall", ">=", 0.5)], "model": "a"},
    "where": {"condition": "g == 'u'"},
}
LEVELS = [*(name for name, keywords in METHODS.items() if "ci" in keywords), "calibration", "residuals", "gate"]
BARE = ("metrics", "folds", "confusion", "errors", "roc", "pr", "det", "cap", "gains", "agreement")


@pytest.fixture(scope="module")
def ev() -> dfevals.Evaluation:
    return evaluation()


def regression() -> dfevals.Evaluation:
    frame = pd.DataFrame({"y": np.arange(60.0), "p": np.arange(60.0) + np.tile([0, 1, -1], 20)})
    return frame.evals(y_true="y", y_pred="p")


def asked(ev: dfevals.Evaluation, name: str, **keywords: Any) -> Any:
    if name == "agreement":
        return ev.agreement("a", "b", **keywords)
    return getattr(regression() if name == "residuals" else ev, name)(**{**GIVEN.get(name, {}), **keywords})


def test_every_name_is_there() -> None:
    now = surface()
    for cls, names in ONCE["classes"].items():
        assert set(names) <= set(now["classes"][cls]), cls
    for question, columns in ONCE["columns"].items():
        assert set(columns) <= set(now["columns"][question]), question


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_keyword_is_taken(ev: dfevals.Evaluation, name: str) -> None:
    once = {key: literal_eval(value) for key, value in METHODS[name].items() if "empty" not in value}
    asked(ev, name, **{**once, **GIVEN.get(name, {})})


@pytest.mark.parametrize("cls", sorted(set(ONCE["classes"]) - {"Evaluation"}))
def test_keywords_of_results(cls: str) -> None:
    now = surface()["classes"][cls]
    for method, keywords in ONCE["classes"][cls].items():
        if keywords:
            assert set(keywords) <= set(now[method]), method


def numbers(ev: dfevals.Evaluation, name: str, **given: Any) -> pd.DataFrame:
    """The frame of a result in which its intervals are."""
    result = asked(ev, name, **given)
    return getattr(result, {"folds": "summary", "thresholds": "best"}.get(name, "frame"))  # type: ignore[no-any-return]


def bounds(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[[name for name in frame.columns if name.endswith(("_low", "_high"))]]


@pytest.mark.parametrize("name", LEVELS)
def test_level_and_ci_are_one(ev: dfevals.Evaluation, name: str) -> None:
    frames = [numbers(ev, name, **given) for given in ({"level": 0.8}, {"ci": 0.8}, {})]
    pd.testing.assert_frame_equal(frames[0], frames[1])
    assert not bounds(frames[0]).equals(bounds(frames[2]))
    with pytest.raises(TypeError, match=r"ci= and level=, which say the same"):
        asked(ev, name, ci=0.8, level=0.8)


@pytest.mark.parametrize("name", BARE)
def test_no_level_leaves_intervals_out(ev: dfevals.Evaluation, name: str) -> None:
    result = asked(ev, name, level=None)
    assert bounds(numbers(ev, name, level=None)).isna().all(axis=None)
    assert bounds(numbers(ev, name)).notna().any(axis=None)
    assert "95%" not in repr(result)
    if hasattr(result, "summary"):
        assert bounds(result.summary).isna().all(axis=None)


@pytest.mark.parametrize("name", ["compare", "calibration", "gate", "route", "thresholds", "recalibrate"])
def test_what_decides_needs_a_level(ev: dfevals.Evaluation, name: str) -> None:
    with pytest.raises(DfevalsError, match=r"level=None"):
        asked(ev, name, level=None)


@pytest.mark.parametrize("name", sorted({*QUESTIONS} - {"compare", "power", "drift", "corrected"}))
def test_model_and_models_are_one(ev: dfevals.Evaluation, name: str) -> None:
    if name == "route":
        with pytest.raises(DfevalsError):
            ev.route("accuracy", by="g", model="b")  # type: ignore[call-arg]  # one candidate leaves nothing to choose
        return
    one, same = (asked(ev, name, **given).frame for given in ({"model": "b"}, {"models": ["b"]}))
    pd.testing.assert_frame_equal(one, same)
    assert set(one["model"]) == {"b"}


def test_questions_about_one_model(ev: dfevals.Evaluation) -> None:
    assert ev.worst(3, models="b").equals(ev.worst(3, model="b"))  # type: ignore[call-arg]
    assert ev.worst(3, models=["b"]).equals(ev.worst(3, model="b"))  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["folds", "compare", "power", "route"])
def test_metrics_come_first_and_the_old_order_is_understood(ev: dfevals.Evaluation, name: str) -> None:
    models = ("a", "b") if name in ("compare", "power") else ()
    call: Callable[..., Any] = getattr(ev, name)
    metric = "metric" if name == "route" else "metrics"
    names = list(inspect.signature(call).parameters)
    assert names.index("by") == names.index(metric) + 1
    new = call(*models, "accuracy", "g").frame
    pd.testing.assert_frame_equal(call(*models, "g", "accuracy").frame, new)
    pd.testing.assert_frame_equal(call(*models, by="g", **{metric: "accuracy"}).frame, new)
    pd.testing.assert_frame_equal(call(*models, "g", **{metric: "accuracy"}).frame, new)
    pd.testing.assert_frame_equal(call(*models, "g").frame, call(*models, by="g").frame)
    if name != "route":  # routing needs a cohort for every row
        pd.testing.assert_frame_equal(call(*models, {"u": "g == 'u'"}).frame, call(*models, by={"u": "g == 'u'"}).frame)


def test_a_slip_by_keyword_is_still_an_error(ev: dfevals.Evaluation) -> None:
    with pytest.raises(DfevalsError, match="no metric 'g'"):
        ev.folds(metrics="g")
    with pytest.raises(DfevalsError, match="no metric 'h'"):
        ev.folds("h")


def test_scale_of_ratings(ev: dfevals.Evaluation) -> None:
    frame = pd.DataFrame({"r": [1, 2, 3, 4, 4, 2], "s": [1, 3, 3, 4, 1, 2]})
    ratings = frame.evals(outcomes=["r", "s"])
    for scale in ("ordinal", "interval"):
        new = ratings.agreement(scale=scale, level=0.9).frame  # type: ignore[arg-type]
        old = ratings.agreement(level=scale, ci=0.9).frame  # type: ignore[call-arg, arg-type]
        pd.testing.assert_frame_equal(new, old)
        pd.testing.assert_frame_equal(ratings.agreement(level=scale).frame, ratings.agreement(scale=scale).frame)  # type: ignore[arg-type]


def test_seeds_are_fixed_everywhere(ev: dfevals.Evaluation) -> None:
    seeds = {n: p["random_state"] for n, p in surface()["classes"]["Evaluation"].items() if p and "random_state" in p}
    assert set(seeds.values()) == {"0"}
    one, other = (ev.metrics("recall", interval="bootstrap", n_resamples=50).frame for _ in range(2))
    pd.testing.assert_frame_equal(one, other)


def test_tallies_speak_as_evaluations_do(ev: dfevals.Evaluation) -> None:
    tally = ev.collect("recall", "g", ci=0.8)  # type: ignore[call-arg]
    pd.testing.assert_frame_equal(tally.metrics(ci=0.8).frame, ev.metrics("recall", "g", level=0.8).frame)  # type: ignore[call-arg]


def test_every_public_method_has_an_example() -> None:
    without = [
        name for name in METHODS if "Examples\n" not in (inspect.getdoc(getattr(dfevals.Evaluation, name)) or "")
    ]
    assert without == []


def test_axes_as_the_last_line_of_a_cell_are_not_written_out(ev: dfevals.Evaluation) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    one, several = ev.roc().plot(), ev.roc(by="g").plot()
    for drawn in (one, several):
        assert shell.display_formatter.format(drawn) == ({}, {})  # type: ignore[union-attr]
    assert type(one).__name__ == "Axes"
    assert isinstance(several, np.ndarray)
    assert type(several.flat[0]).__name__ == "Axes"
    assert type(ev.roc().plot(ax=one)) is type(one)


def rare() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    y = (np.arange(1000) % 33 == 0).astype(int)
    scores = {"idle": rng.random(1000) * 0.3, "a": np.clip(np.where(y, 0.7, 0.2) + rng.normal(0, 0.2, 1000), 0, 1)}
    return pd.DataFrame({"y": y, **scores, "b": scores["a"] ** 0.5, "fold": np.arange(1000) % 5})


@pytest.mark.parametrize("unit", ["rows", "folds"])
def test_a_model_that_finds_nothing_is_not_called_the_best(unit: str) -> None:
    ev = rare().evals(y_true="y", y_score={"idle": "idle", "a": "a", "b": "b"}, pos_label=1, fold="fold")
    assert ev.metrics("recall", models="idle").frame["value"].item() == 0
    result = ev.compare(metrics=["accuracy", "recall"], unit=unit)
    accuracy = result.winner[result.winner["metric"] == "accuracy"]
    assert accuracy["winner"].item() == "idle"  # .97 of the rows are negative
    said = repr(result)
    assert "Best by accuracy" not in said
    assert "Best by recall" in said
    assert "idle does no better than one answer for every row" in said


def test_the_card_suggests_no_column_that_has_a_role() -> None:
    card = repr(rare().evals(y_true="y", y_score={"a": "a"}, pos_label=1, fold="fold", cluster="idle"))
    assert "by='fold'" not in card
    assert "by='idle'" not in card


def test_metrics_by_class_have_no_gaps_and_a_macro_row() -> None:
    from sklearn.metrics import precision_recall_fscore_support as oracle

    frame = pd.DataFrame({"y": list("aabbccabcabb") * 5, "p": list("aabccbabcaab") * 5})
    found = frame.evals(y_true="y", y_pred="p").metrics(by_class=True).frame
    assert found["value"].notna().all()
    wide = found.pivot(index="class", columns="metric", values="value")
    assert list(wide.index) == ["(macro)", "a", "b", "c"]
    each, macro = (oracle(frame["y"], frame["p"], average=average)[:3] for average in (None, "macro"))
    np.testing.assert_allclose(wide.loc[["a", "b", "c"], ["precision", "recall", "f1"]].T, each)
    np.testing.assert_allclose(wide.loc["(macro)", ["precision", "recall", "f1"]].astype(float), macro)


def test_the_gains_table_shows_profit() -> None:
    frame = rows().assign(amount=np.arange(600) % 7, a=lambda f: (f["a"] + np.arange(600) * 1e-9) / 2)
    ev = frame.evals(y_true="y", y_score="a", pos_label=1)
    result = ev.gains(value=100, cost=20, fixed_cost=50)
    table = result.frame
    np.testing.assert_allclose(table["profit"], 100 * table["cum_pos"] - 20 * table["cum_n"] - 50)
    assert "profit" in result.to_markdown()
    assert "profit" not in ev.gains().to_markdown()
    amounts = ev.gains(value="amount", cost=1).frame
    best = frame.sort_values("a", ascending=False, kind="stable")
    paid = (best["amount"] * best["y"]).cumsum().to_numpy()[59::60] - np.arange(60, 601, 60)
    assert not frame["a"].duplicated().any()
    np.testing.assert_allclose(amounts["profit"], paid)


def test_the_reference_lists_every_public_name() -> None:
    listed = (Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8").split()
    modules = {"datasets", "evaluators", "exceptions", "inference", "metrics", "needs", "plots", "__version__"}
    known = {*listed, *(word.removeprefix("evaluators.") for word in listed), *modules}
    assert [name for name in dfevals.__all__ if name not in known] == []
    results = [name for name in ONCE["classes"] if name.endswith("Result")]
    assert [name for name in results if not any(word.endswith(f".{name}") for word in listed)] == []
    evaluators = set(dfevals.evaluators.__all__) - {"ROLES", "run"}
    assert [name for name in sorted(evaluators) if f"evaluators.{name}" not in listed] == []


def test_numbers_of_a_column_are_written_alike() -> None:
    from dfevals import words

    assert words.column([4588, 239, 85.4, 11]) == ["4,588", "239", "85", "11"]
    assert words.column([0.76503, 0.4999, 0.00575, 0.000029]) == ["0.765", "0.500", "0.0057", "0.000029"]
    assert words.column([float("nan"), -0.5, 0.0]) == ["–", "-0.500", "0.000"]
    assert words.column([float("inf"), 12.5, -1234.5]) == ["∞", "12", "-1,234"]
    assert words.column([]) == []
