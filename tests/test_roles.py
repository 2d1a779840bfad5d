"""Roles: what is inferred, what they mean for a frame, and how they live with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.exceptions import RoleError
from dfevals.roles.declared import Roles

N = 120


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, N)
    return pd.DataFrame(
        {
            "y_true": y,
            "y_score": np.clip(0.3 * y + 0.7 * rng.random(N), 0, 1),
            "other": rng.random(N),
            "group": rng.choice(["a", "b"], N),
            "count": rng.integers(1, 4, N),
        }
    )


TASKS: dict[str, tuple[dict[str, list[Any]], dict[str, Any], str]] = {
    "Boolean": ({"y": [True, False], "p": [0.1, 0.2]}, {"y_score": "p"}, "binary"),
    "zeros and ones": ({"y": [0, 1, 1], "p": [0, 1, 0]}, {"y_pred": "p"}, "binary"),
    "minus one and one": ({"y": [-1, 1, 1], "p": [-0.2, 1.3, 2]}, {"y_score": "p"}, "binary"),
    "floats that are whole": ({"y": [0.0, 1.0, None], "p": [0.1, 0.2, 0.3]}, {"y_score": "p"}, "binary"),
    "only ones": ({"y": [1, 1], "p": [0.1, 0.2]}, {"y_score": "p"}, "binary"),
    "two texts": ({"y": ["a", "b"], "p": ["a", "a"]}, {"y_pred": "p", "pos_label": "b"}, "binary"),
    "three texts": ({"y": ["a", "b", "c"], "p": ["a", "a", "c"]}, {"y_pred": "p"}, "multiclass"),
    "whole numbers in both": ({"y": [1, 2, 3] * 10, "p": [1, 2, 2] * 10}, {"y_pred": "p"}, "multiclass"),
    "whole numbers against fractions": ({"y": [1, 2, 3] * 10, "p": [1.2, 2.1, 2.0] * 10}, {"y_pred": "p"}, "regression"),
    "zeros and ones against fractions": ({"y": [0, 1, 1], "p": [0.5, 0.7, 0.1]}, {"y_pred": "p"}, "regression"),
    "fractions": ({"y": [1.5, 2.0], "p": [1, 2]}, {"y_pred": "p"}, "regression"),
    "many whole numbers": ({"y": list(range(80)), "p": list(range(80))}, {"y_pred": "p"}, "regression"),
    "fractions in an object column": ({"y": pd.Series([1.5, None, 2], dtype=object), "p": [1, 2, 3]}, {"y_pred": "p"}, "regression"),
    "one score per class": ({"y": [1, 2, 3], "p_1": [0.2, 0.3, 1], "p_2": [0.3, 0.3, 0], "p_3": [0.5, 0.4, 0]}, {"y_score": "p_{label}"}, "multiclass"),
    "interval columns": ({"y": [1, 0], "p": [1, 0], "l": [0, 0], "u": [1, 1]}, {"y_pred": "p", "y_lower": "l", "y_upper": "u"}, "regression"),
    "declared": ({"y": [1, 2, 3], "p": [1, 2, 2]}, {"y_pred": "p", "task": "multiclass"}, "multiclass"),
    "declared positive": ({"y": [3, 7, 3], "p": [0.1, 0.2, 0.3]}, {"y_score": "p", "pos_label": 7}, "binary"),
    "no labels": ({"q": [0.1, 0.3]}, {"outcomes": ["q"]}, "outcomes"),
}  # fmt: skip


@pytest.mark.parametrize("case", TASKS)
def test_task_is_inferred_and_the_reason_said(case: str) -> None:
    data, roles, task = TASKS[case]
    labels = {} if "outcomes" in roles else {"y_true": "y"}
    evaluation = pd.DataFrame(data).evals(**labels, **roles)
    assert evaluation.task == task
    assert task in repr(evaluation)


def test_only_four_names_are_inferred(frame: pd.DataFrame) -> None:
    evaluation = frame.rename(columns={"count": "sample_weight"}).assign(fold=1, cluster=2).evals()
    assert (evaluation.roles.y_true, evaluation.roles.y_score) == ("y_true", "y_score")
    assert evaluation.roles.sample_weight == "sample_weight"
    assert evaluation.roles.fold is None
    assert "fold='fold'" in repr(evaluation)


def test_declared_predictions_are_the_whole_declaration(frame: pd.DataFrame) -> None:
    assert frame.evals(y_score="other").models == ("other",)
    assert frame.assign(y_pred=1).evals(y_score="other").roles.y_pred is None


def test_positive_label_comes_last() -> None:
    frame = pd.DataFrame({"y": ["no", "yes", "no"], "p": [0.1, 0.9, 0.2]})
    evaluation = frame.evals(y_true="y", y_score="p", pos_label="no")
    assert evaluation.labels == ("yes", "no")
    assert evaluation.pos_label == "no"
    assert frame.evals(y_true="y", y_score="p", labels=["no", "yes"]).pos_label == "yes"


def test_models_from_every_spelling(frame: pd.DataFrame) -> None:
    two = frame.assign(p_0=1 - frame["other"], p_1=frame["other"])
    expected = two.evals(y_score="other").metrics("roc_auc").frame["value"].item()
    for spec in ("p_{label}", ["p_0", "p_1"], {"m": "p_{label}"}, {"m": ["p_0", "p_1"]}, {"m": "p_1"}):
        evaluation = two.evals(y_score=spec)
        assert len(evaluation.models) == 1
        assert evaluation.metrics("roc_auc").frame["value"].item() == pytest.approx(expected, rel=1e-12)
    assert two.evals(y_score={"m": "other", "n": "y_score"}).models == ("m", "n")


def test_threshold_and_margin(frame: pd.DataFrame) -> None:
    truth = frame["y_true"]
    for threshold in (0.3, 0.7):
        found = frame.evals(threshold=threshold).metrics("accuracy").frame["value"].item()
        assert found == pytest.approx(((frame["y_score"] >= threshold) == truth).mean())
    margins = frame.assign(y_score=frame["y_score"] * 4 - 2)
    found = margins.evals().metrics("accuracy").frame["value"].item()
    assert found == pytest.approx(((margins["y_score"] >= 0) == truth).mean())
    declared = frame.evals(score_kind="margin").metrics("selection_rate").frame["value"].item()
    assert declared == 1.0


def test_long_frame_equals_the_wide_one(frame: pd.DataFrame) -> None:
    wide = frame.assign(id=range(N))
    long = wide.melt(["id", "y_true", "group"], ["y_score", "other"], var_name="llm", value_name="p")
    roles = {"y_true": "y_true", "y_score": "p", "model": "llm", "id": "id"}
    found = long.evals(**roles).metrics(by="group").frame.set_index(["model", "metric", "group"])
    expected = wide.evals(y_true="y_true", y_score={"y_score": "y_score", "other": "other"}).metrics(by="group")
    pd.testing.assert_frame_equal(
        found.sort_index(), expected.frame.set_index(["model", "metric", "group"]).sort_index()
    )
    shuffled = long.sample(frac=1, random_state=0)
    again = shuffled.evals(**roles).metrics(by="group").frame.set_index(["model", "metric", "group"])
    pd.testing.assert_frame_equal(again.sort_index(), found.sort_index())


def test_long_frame_of_outcomes(frame: pd.DataFrame) -> None:
    long = frame.assign(llm=frame["group"].map({"a": "small", "b": "large"}), score=frame["other"].round(2))
    result = long.evals(outcomes=["score"], model="llm").metrics("mean").frame.set_index("model")
    for name, part in long.groupby("llm"):
        assert result.loc[name, "value"] == pytest.approx(part["score"].mean())
        assert result.loc[name, "n"] == len(part)


@pytest.mark.parametrize(
    ("column", "options", "expected"),
    [
        (["pass", "fail", "pass", None], {}, 2 / 3),
        (["Yes", "no", "no", "no"], {}, 0.25),
        ([True, False, None, True], {}, 2 / 3),
        ([0, 1, 1, 1], {"kind": "pass"}, 0.75),
        ([0.1, 0.5, 0.9, None], {"pass_at": 0.5}, 2 / 3),
        ([0.1, 0.5, 0.9, None], {"pass_at": 0.5, "better": "lower"}, 2 / 3),
        ([1, 0, 0, 0], {"kind": "pass", "better": "lower"}, 0.75),
    ],
)
def test_outcomes_pass(column: list[Any], options: dict[str, Any], expected: float) -> None:
    frame = pd.DataFrame({"check": column})
    evaluation = frame.evals(outcomes=[dfevals.Outcome("check", **options)])
    result = evaluation.metrics(["pass_rate", "fail_rate"]).frame["value"]
    assert result.tolist() == pytest.approx([expected, 1 - expected])
    assert "pass_rate" in evaluation.metrics().frame["metric"].tolist()


def test_failed_evaluations_are_a_rate_of_their_own() -> None:
    frame = pd.DataFrame(
        {"q": [1.0, 0.0, 1.0, 1.0], "why": [None, "", "time out", None], "kind": ["x", "y", None, "x"]}
    )
    outcomes = [
        dfevals.Outcome("q", kind="pass", error_column="why"),
        dfevals.Outcome("kind", kind="category", error_column="why"),
    ]
    found = frame.evals(outcomes=outcomes).metrics().frame.set_index("metric")
    assert found.loc["q_pass_rate", "value"] == pytest.approx(2 / 3)
    assert found.loc["q_pass_rate", "support"] == 3
    assert found.loc["q_evaluation_error_rate", "value"] == 0.25
    assert found.loc["kind_evaluation_error_rate", "value"] == 0.25


def test_outcomes_beside_labels(frame: pd.DataFrame) -> None:
    judged = frame.assign(judge=frame["other"] > 0.4)
    found = judged.evals(outcomes=["judge"]).metrics().frame.set_index("metric")["value"]
    assert frame.evals(y_true="y_true", outcomes=[]).task == "binary"
    both = judged.evals(y_true="y_true", y_score="y_score", outcomes=["judge"])
    result = both.metrics(["roc_auc", "judge_pass_rate"]).frame.set_index("metric")["value"]
    assert result["judge_pass_rate"] == pytest.approx(found["pass_rate"])
    assert result["roc_auc"] == pytest.approx(frame.evals().metrics("roc_auc").frame["value"].item())


def test_roles_are_json_and_come_back() -> None:
    roles = Roles.build(
        y_true="y",
        y_score={"a": "p_{label}", "b": ["x", "y"]},
        outcomes=[dfevals.Outcome("q", pass_at=0.5, better="lower")],
        labels=[np.int64(0), 1],
        pos_label=np.int64(1),
        cohorts=["sex", dfevals.bins("age", [30, 50]), dfevals.each("sex", "race"), ["sex", "race"]],
        threshold=0.4,
    )
    assert Roles.from_json(roles.to_json()) == roles
    assert Roles.build(roles) == roles
    assert Roles.build(roles.declared()) == roles


def test_equal_roles_are_reused(frame: pd.DataFrame) -> None:
    first = frame.evals(y_true="y_true", y_score={"m": "other"}, sample_weight="count")
    second = frame.iloc[:50].evals(first.roles)
    assert second.roles == first.roles
    third = frame.evals(first.roles, sample_weight=None)
    assert third.roles.sample_weight is None
    assert third.models == ("m",)


SURVIVE = {
    "query": lambda d: d.query("group == 'a'"),
    "mask": lambda d: d[d["other"] > 0.1],
    "assign": lambda d: d.assign(new=1),
    "copy": lambda d: d.copy(),
    "head": lambda d: d.head(60),
    "sort": lambda d: d.sort_values("other"),
    "columns": lambda d: d[["y_true", "y_score", "count"]],
    "reset": lambda d: d.reset_index(drop=True),
}


@pytest.mark.parametrize("operation", SURVIVE)
def test_roles_survive(frame: pd.DataFrame, operation: str) -> None:
    kept = frame.evals.set_roles(y_true="y_true", y_score="y_score", sample_weight="count")
    assert kept is frame
    assert isinstance(kept.attrs["dfevals"], str)
    changed = SURVIVE[operation](kept)
    assert changed.evals().roles.sample_weight == "count"
    assert changed.evals.roles == kept.evals.roles


def test_roles_survive_melt_and_parquet(frame: pd.DataFrame, tmp_path: Any) -> None:
    frame.evals.set_roles(y_true="y_true", y_score="y_score")
    assert "dfevals" in frame.melt(["y_true"], ["y_score", "other"]).attrs
    frame.to_parquet(tmp_path / "scored.parquet")
    assert pd.read_parquet(tmp_path / "scored.parquet").evals().roles.y_score == "y_score"


def test_roles_kept_can_be_overridden(frame: pd.DataFrame) -> None:
    frame.evals.set_roles(y_true="y_true", y_score="y_score", sample_weight="count")
    evaluation = frame.evals(y_score="other")
    assert evaluation.models == ("other",)
    assert evaluation.roles.sample_weight == "count"


def test_kept_roles_are_checked_at_once(frame: pd.DataFrame) -> None:
    with pytest.raises(RoleError, match="Did you mean 'other'"):
        frame.evals.set_roles(y_true="y_true", y_score="othr")
    assert "dfevals" not in frame.attrs


def test_a_mask_cannot_be_kept_with_the_frame(frame: pd.DataFrame) -> None:
    with pytest.raises((RoleError, dfevals.exceptions.CohortError)):
        frame.evals.set_roles(y_true="y_true", y_score="y_score", cohorts=[{"low": frame["other"] < 0.5}])


def test_classes_without_rows_come_from_the_pattern() -> None:
    frame = pd.DataFrame({"y": ["a", "b", "a"], "p_a": [0.5, 0.2, 0.7], "p_b": [0.3, 0.5, 0.2], "p_c": [0.2, 0.3, 0.1]})
    assert frame.evals(y_true="y", y_score="p_{label}").labels == ("a", "b", "c")


def test_ordered_categories_keep_their_order() -> None:
    kind = pd.CategoricalDtype(["low", "mid", "high"], ordered=True)
    frame = pd.DataFrame(
        {"y": pd.Series(["high", "low", "mid"], dtype=kind), "p": pd.Series(["mid", "low", "mid"], dtype=kind)}
    )
    assert frame.evals(y_true="y", y_pred="p").labels == ("low", "mid", "high")


def test_listed_scores_find_their_label_by_name_or_by_declaration() -> None:
    scores = {"p_a": [0.8, 0.1, 0.1], "p_b": [0.1, 0.8, 0.1], "p_c": [0.1, 0.1, 0.8]}
    frame = pd.DataFrame({**scores, "y": list("abc")})
    named = frame.evals(y_true="y", y_score=["p_c", "p_a", "p_b"])
    assert named.metrics("accuracy").frame["value"].tolist() == [1.0]
    assert "score columns matched to the labels by their names" in repr(named)
    declared = frame.evals(y_true="y", y_score=["p_c", "p_a", "p_b"], labels=["c", "a", "b"])
    assert declared.metrics("accuracy").frame["value"].tolist() == [1.0]
    numbers = pd.DataFrame({"p1": [0.9, 0.2], "p11": [0.1, 0.8], "y": [1, 11]})
    found = numbers.evals(y_true="y", y_score=["p11", "p1"], pos_label=1)
    assert found.metrics("accuracy").frame["value"].tolist() == [1.0]


@pytest.mark.parametrize("given", [("y", "s"), ("y",), ("y", "s", "g"), (3,)])
def test_roles_by_place_are_an_error_that_names_the_roles(given: tuple[Any, ...]) -> None:
    frame = pd.DataFrame({"y": [0, 1], "s": [0.2, 0.7], "g": ["a", "b"]})
    for door in (frame.evals, frame.evals.set_roles, lambda *more: dfevals.evaluate(frame, *more)):
        with pytest.raises(RoleError, match="by name, not by place") as caught:
            door(*given)
        assert "y_true=" in str(caught.value)
        assert "y_score=" in str(caught.value)
    if given[0] == "y":
        assert "Pass y_true='y'" in str(caught.value)


@pytest.mark.parametrize(("given", "absent"), [("y_lower", "y_upper"), ("y_upper", "y_lower")])
def test_half_an_interval_is_refused(given: str, absent: str) -> None:
    frame = pd.DataFrame({"y": [1.5, 2.5, 4.0], "p": [1.0, 2.0, 5.0], "end": [0.0, 1.0, 2.0]})
    with pytest.raises(RoleError, match=f"^{given}='end' is one end of a predicted interval.* Pass {absent}= too"):
        frame.evals(y_true="y", y_pred="p", **{given: "end"})
