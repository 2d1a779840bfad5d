"""Bad input by name: each a specific error that names the fix, or an honest NaN with its reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.exceptions import CohortError, DataError, DfevalsError, ExpressionError, MetricError, RoleError

N = 200
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    made = pd.DataFrame(
        {
            "y": rng.integers(0, 2, N),
            "p": rng.random(N),
            "g": rng.choice(["a", "b"], N),
            "t": rng.choice(["x", "y", "z"], N),
            "amount": rng.gamma(2, 3, N),
            "w": rng.random(N),
        }
    )
    return made.assign(pred=(made["p"] > 0.5).astype(int), forecast=made["amount"] * 1.1)


BINARY = {"y_true": "y", "y_score": "p"}

ERRORS: dict[str, tuple[Callable[[pd.DataFrame], Any], type[DfevalsError], str]] = {
    "misspelt label column": (lambda d: d.evals(y_true="yy", y_score="p"), RoleError, r"'yy' is not in the frame. Did you mean 'y'\?"),
    "misspelt score column": (lambda d: d.evals(y_true="y", y_score="amuont"), RoleError, "Did you mean 'amount'"),
    "misspelt weight column": (lambda d: d.evals(**BINARY, sample_weight="ww"), RoleError, "sample_weight column 'ww'.*Columns:"),
    "misspelt model column": (lambda d: d.evals(y_true="y", y_score={"m": "pp"}), RoleError, "Did you mean 'p'"),
    "misspelt role": (lambda d: d.evals(y_tru="y"), RoleError, "There is no role 'y_tru'. Did you mean 'y_true'"),
    "misspelt cohort role": (lambda d: d.evals(**BINARY, cohorts=["g", dfevals.bins("amont", [3])]), RoleError, "cohorts column 'amont'.*Did you mean 'amount'"),
    "misspelt cohort role in a list": (lambda d: d.evals(**BINARY, cohorts=[["g", "amont"]]), RoleError, "Did you mean 'amount'"),
    "misspelt cohort role in an expression": (lambda d: d.evals(**BINARY, cohorts=[{"big": "amont > 3"}]), ExpressionError, "amount"),
    "negative beta": (lambda d: d.evals(**BINARY).metrics(dfevals.metrics.fbeta(beta=-1)), MetricError, r"fbeta\(beta=-1\): beta must be a finite number of at least 0"),
    "pinball of no quantile": (lambda d: d.evals(y_true="amount", y_pred="forecast").metrics(["pinball(alpha=3)"]), MetricError, "alpha must be a number strictly between 0 and 1"),
    "top none": (lambda d: dfevals.metrics.top_k_accuracy(k=0), MetricError, "k must be a whole number of at least 1"),
    "top one and a half": (lambda d: dfevals.metrics.top_k_accuracy(k=1.5), MetricError, "k must be a whole number"),
    "top more than there are": (lambda d: d.assign(p_x=1.0, p_y=0.0, p_z=0.0).evals(y_true="t", y_score="p_{label}").metrics(["top_k_accuracy(k=9)"]), MetricError, "there are only 3 classes"),
    "half a trial": (lambda d: dfevals.metrics.pass_at_k(k=0.5), MetricError, "k must be a whole number"),
    "quantile in percent": (lambda d: dfevals.metrics.quantile(q=90), MetricError, "q must be a number between 0 and 1"),
    "complex scores": (lambda d: d.assign(p=d["p"] + 1j).evals(**BINARY).metrics("roc_auc"), DataError, "y_score column 'p' holds complex numbers"),
    "weights beyond all numbers": (lambda d: d.assign(w=1e300).evals(**BINARY, sample_weight="w").metrics("recall"), DataError, r"at most 1e\+300.*Only ratios matter"),
    "weights of almost nothing": (lambda d: d.assign(w=1e-300).evals(**BINARY, sample_weight="w").metrics("recall"), DataError, "at most 1e-300"),
    "no roles at all": (lambda d: d.drop(columns="y").evals(), RoleError, "Which column holds the truth"),
    "misspelt cohort column": (lambda d: d.evals(**BINARY).metrics(by="amont"), CohortError, "Did you mean 'amount'"),
    "misspelt metric": (lambda d: d.evals(**BINARY).metrics("recal"), MetricError, "Did you mean 'recall'"),
    "metric of another task": (lambda d: d.evals(**BINARY).metrics("rmse"), MetricError, "'rmse' is a metric for regression; this evaluation is binary"),
    "metric that needs scores": (lambda d: d.evals(y_true="y", y_pred="pred").metrics("roc_auc"), MetricError, "needs scores: pass y_score="),
    "no metrics": (lambda d: d.evals(**BINARY).metrics([]), MetricError, "list of metrics is empty"),
    "something that is no metric": (lambda d: d.evals(**BINARY).metrics([None]), MetricError, "None is no metric"),
    "misspelt model": (lambda d: d.evals(**BINARY).metrics(models="q"), RoleError, "There is no model 'q'"),
    "misspelt interval": (lambda d: d.evals(**BINARY).metrics("recall", interval="wilsn"), MetricError, "Did you mean 'wilson'"),
    "interval of another kind": (lambda d: d.evals(**BINARY).metrics("recall", interval="delong"), MetricError, "does not apply to a share"),
    "level in percent": (lambda d: d.evals(**BINARY).metrics("recall", ci=95), DfevalsError, r"Did you mean 0\.95"),
    "one text label, no positive named": (lambda d: d.assign(y="yes").evals(**BINARY), RoleError, "Which label of 'y' is the positive one.*pos_label='yes'"),
    "ambiguous positive label": (lambda d: d.evals(y_true="g", y_score="p"), RoleError, r"Which label of 'g' is the positive one\? Labels: \['a', 'b'\]. Pass pos_label='b'"),
    "positive label that does not occur": (lambda d: d.evals(y_true="g", y_score="p", pos_label="c"), RoleError, r"pos_label='c' is not a label of 'g': \['a', 'b'\]\.$"),
    "positive label of another type": (lambda d: d.evals(**BINARY, pos_label="1"), RoleError, "of type int; pass pos_label=1"),
    "labels not declared": (lambda d: d.evals(y_true="t", y_pred="t", labels=["x", "y"]).metrics("accuracy"), DataError, r"holds 'z', which is not one of labels=\['x', 'y'\]"),
    "label declared twice": (lambda d: d.evals(y_true="t", y_pred="t", labels=["x", "x"]), RoleError, "names a label twice"),
    "text predictions of numbers": (lambda d: d.assign(pred=d["pred"].astype(str)).evals(y_true="y", y_pred="pred"), RoleError, r"would never agree.*astype\(int\)"),
    "number predictions of texts": (lambda d: d.assign(y=d["y"].astype(str)).evals(y_true="y", y_pred="pred"), RoleError, r"would never agree.*astype\(str\)"),
    "probabilities declared that are none": (lambda d: d.assign(p=d["p"] * 3).evals(**BINARY, score_kind="probability").metrics("roc_auc"), DataError, "declared as a probability but ranges from"),
    "log loss of margins": (lambda d: d.assign(p=d["p"] * 3).evals(**BINARY).metrics("log_loss"), MetricError, r"needs probabilities, but the scores lie outside \[0, 1\]"),
    "one score for three classes": (lambda d: d.evals(y_true="t", y_score="p"), RoleError, r"one column but there are 3 classes.*p_\{label\}"),
    "score pattern without columns": (lambda d: d.evals(y_true="t", y_score="p_{label}"), RoleError, "needs the column 'p_x' for the label 'x'"),
    "score list of another length": (lambda d: d.evals(y_true="t", y_score=["p", "w"]), RoleError, "lists 2 columns for 3 labels"),
    "score list without labels": (lambda d: d.assign(q=d["p"], r=d["p"]).evals(y_true="t", y_score=["p", "q", "r"]), RoleError, r"which class does each belong to\? Pass labels=\[...\] in the order of the columns; the labels are \['x', 'y', 'z'\]"),
    "two scores without labels": (lambda d: d.assign(q=1 - d["p"]).evals(y_true="y", y_score=["p", "q"]), RoleError, "which class does each belong to"),
    "score of a regression": (lambda d: d.evals(y_true="amount", y_score="p"), RoleError, "pass y_pred= instead of y_score="),
    "threshold beside predictions": (lambda d: d.evals(**BINARY, y_pred="pred", threshold=0.3), RoleError, "Both y_pred and threshold="),
    "threshold that is no number": (lambda d: d.evals(**BINARY, threshold="high"), RoleError, "threshold='high' is not a finite number"),
    "unknown task": (lambda d: d.evals(**BINARY, task="binry"), RoleError, "Did you mean 'binary'"),
    "empty dict of models": (lambda d: d.evals(y_true="y", y_score={}), RoleError, "dict of models is empty"),
    "one prediction for two models": (lambda d: d.evals(y_true="y", y_score={"a": "p", "b": "w"}, y_pred="pred"), RoleError, "there are 2 models"),
    "long frame with a dict": (lambda d: d.evals(y_true="y", y_score={"a": "p", "b": "w"}, model="g"), RoleError, "makes a long frame"),
    "data instead of a name": (lambda d: d.evals(y_true=d["y"], y_score="p"), RoleError, "must be the name of a column, not data"),
    "an array of scores": (lambda d: d.evals(y_true="y", y_score=d["p"].to_numpy()), RoleError, "y_score must be the name of a column"),
    "unhashable labels": (lambda d: d.assign(t=[[1]] * N).evals(y_true="t", y_pred="t"), DataError, "unhashable values, such as lists"),
    "times as labels": (lambda d: d.assign(t=pd.Timestamp("2020")).evals(y_true="t", y_pred="t"), RoleError, "holds times"),
    "complex labels": (lambda d: d.assign(t=1j).evals(y_true="t", y_pred="t"), DataError, "complex numbers"),
    "text scores": (lambda d: d.evals(y_true="y", y_score="g").metrics("roc_auc"), DataError, "numbers are needed"),
    "negative weights": (lambda d: d.assign(w=d["w"] - 0.5).evals(**BINARY, sample_weight="w").metrics("recall"), DataError, "has negative weights, such as -0.*at row"),
    "fractions as frequency weights": (lambda d: d.evals(**BINARY, sample_weight="w", weight_kind="frequency").metrics("recall"), DataError, "has fractions.*weight_kind='importance'"),
    "text weights": (lambda d: d.evals(**BINARY, sample_weight="g").metrics("recall"), DataError, "sample_weight column 'g'"),
    "zero rows of text": (lambda d: d.iloc[:0].evals(y_true="t", y_pred="t"), RoleError, "holds no labels. Pass labels="),
    "duplicate column": (lambda d: d.rename(columns={"w": "p"}).evals(**BINARY), RoleError, r"'p' is there 2 times. Keep one: df.loc"),
    "mask of another length": (lambda d: d.evals(**BINARY).where(np.ones(3, bool)), CohortError, r"one Boolean per row \(200\)"),
    "mask of numbers": (lambda d: d.evals(**BINARY).where(np.ones(N)), CohortError, "one Boolean per row"),
    "zero worst rows": (lambda d: d.evals(**BINARY).worst(0), DataError, "n=0 must be a whole number"),
    "confusion of a regression": (lambda d: d.evals(y_true="amount", y_pred="forecast").confusion(), MetricError, "needs classes; this evaluation is regression"),
    "outcome that is not there": (lambda d: d.evals(outcomes=["qq"]), RoleError, "outcomes column 'qq' is not in the frame"),
    "outcome with an unknown kind": (lambda d: dfevals.Outcome("t", kind="categry"), RoleError, "Did you mean 'category'"),
    "outcome with an unknown parameter": (lambda d: d.evals(outcomes=[{"column": "p", "passat": 1}]), RoleError, "Did you mean 'pass_at'"),
    "pass rate of a score": (lambda d: d.evals(outcomes=["amount"]).metrics("pass_rate"), DataError, "Say from where it passes"),
    "file that is not there": (lambda d: dfevals.evaluate("nothing_here.csv", y_true="y"), DataError, "There is no file 'nothing_here.csv'"),
    "file of an unknown kind": (lambda d: dfevals.evaluate(__file__, y_true="y"), DataError, "Known endings: .csv"),
    "source without rows": (lambda d: dfevals.evaluate(3, y_true="y"), DataError, "Cannot read rows from"),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_error_says_what_and_the_fix(frame: pd.DataFrame, case: str) -> None:
    action, kind, message = ERRORS[case]
    with pytest.raises(kind, match=message) as caught:
        action(frame)
    assert "\n\n" not in str(caught.value)
    assert "  " not in str(caught.value).split("\n")[0].replace("…  ", "")


@pytest.mark.parametrize(
    ("expression", "at"),
    [("amount < ", 9), ("amount >> 3", 0), ("amount < 3 and (g == 'a'", 15), ("__import__('os')", 0), ("amout < 3", 0)],
)
def test_expression_error_points_at_the_place(frame: pd.DataFrame, expression: str, at: int) -> None:
    for ask in (
        lambda ev: ev.where(expression),
        lambda ev: ev.metrics("recall", by={"cohort": expression}),
    ):
        with pytest.raises(ExpressionError) as caught:
            ask(frame.evals(**BINARY))
        caret = next(line for line in str(caught.value).split("\n") if set(line) <= {" ", "^"} and "^" in line)
        shown = next(line for line in str(caught.value).split("\n") if line.strip() and expression.strip() in line)
        assert caret.index("^") - (len(shown) - len(shown.lstrip())) == pytest.approx(at, abs=1)


def test_multiindex_columns(frame: pd.DataFrame) -> None:
    deep = pd.concat({"k": frame}, axis=1)
    with pytest.raises(RoleError, match=r"MultiIndex columns[.] Flatten them first"):
        deep.evals(**BINARY)
    with pytest.raises(RoleError, match="MultiIndex columns"):
        pd.concat({"y_true": frame[["y"]]}, axis=1).evals()


def test_duplicate_columns_elsewhere_are_no_matter(frame: pd.DataFrame) -> None:
    double = pd.concat([frame, frame[["t", "amount"]]], axis=1)
    assert double.evals(**BINARY).metrics("roc_auc").frame["value"].item() == pytest.approx(
        frame.evals(**BINARY).metrics("roc_auc").frame["value"].item()
    )
    with pytest.raises(CohortError, match="t"):
        double.evals(**BINARY).metrics("roc_auc", by="t")
    repr(double.evals(**BINARY))


def _reasons(result: Any) -> dict[str, str]:
    undefined = result.frame[result.frame["value"].isna()]
    assert undefined[["ci_low", "ci_high"]].isna().all().all()
    assert (undefined["note"] != "").all()
    return dict(zip(undefined["metric"], undefined["note"], strict=True))


def test_one_class_only(frame: pd.DataFrame) -> None:
    metrics = ["recall", "specificity", "roc_auc", "average_precision", "ks", "brier_skill", "log_loss", "mcc", "gini"]
    positive = _reasons(frame[frame["y"] == 1].evals(**BINARY).metrics(metrics))
    assert positive == {
        "specificity": "no negatives",
        **dict.fromkeys(["roc_auc", "ks", "gini", "brier_skill"], "only one class"),
    }
    negative = _reasons(frame[frame["y"] == 0].evals(**BINARY).metrics(metrics))
    assert negative == {
        "recall": "no positives",
        "average_precision": "no positives",
        **dict.fromkeys(["roc_auc", "ks", "gini", "brier_skill"], "only one class"),
    }


def test_nothing_to_judge_is_said_so(frame: pd.DataFrame) -> None:
    metrics = ["recall", "roc_auc", "log_loss", "accuracy"]
    missing = frame.assign(p=np.nan).evals(**BINARY).metrics(metrics)
    assert _reasons(missing) == dict.fromkeys(metrics, "no rows left: missing y_score (p)")
    weightless = frame.assign(w=0.0).evals(**BINARY, sample_weight="w").metrics(metrics)
    assert _reasons(weightless) == dict.fromkeys(metrics, "no weight")
    part = frame.assign(p=frame["p"].where(frame["g"] == "a")).evals(**BINARY).metrics("recall", by="g").frame
    assert part.set_index("g").loc["b", "note"] == "no rows that can be judged"
    empty = frame.evals(**BINARY).metrics("recall", by=dfevals.bins("amount", [-1])).frame
    assert empty.set_index("amount").loc["< -1", "note"] == "no rows"


def test_great_weights_keep_their_support(frame: pd.DataFrame) -> None:
    uneven = 1.0 + np.arange(len(frame)) % 2  # equal weights would say nothing
    great = frame.assign(w=1e18 * uneven).evals(**BINARY, sample_weight="w").metrics(["recall", "accuracy"]).frame
    plain = frame.assign(w=uneven).evals(**BINARY, sample_weight="w").metrics(["recall", "accuracy"]).frame
    np.testing.assert_allclose(great["support"], plain["support"] * 1e18)
    np.testing.assert_allclose(great[["value", "ci_low", "ci_high"]], plain[["value", "ci_low", "ci_high"]])


def test_class_probabilities_that_do_not_sum_to_one_are_noted() -> None:
    frame = pd.DataFrame({"y": list("abc") * 10, "p_a": 0.5, "p_b": 0.3, "p_c": [0.2, 0.5, 0.2] * 10})
    evaluation = frame.evals(y_true="y", y_score="p_{label}")
    assert "p: the class probabilities of 10 rows do not sum to 1." in evaluation.metrics("log_loss").notes
    assert "do not sum to 1" in repr(evaluation)
    assert evaluation.metrics("accuracy").notes == ()
    exact = frame.assign(p_c=0.2).evals(y_true="y", y_score="p_{label}")
    assert exact.metrics("log_loss").notes == ()


def test_no_positives_in_a_cohort(frame: pd.DataFrame) -> None:
    none = frame.assign(y=np.where(frame["g"] == "a", 0, frame["y"]))
    rows = none.evals(**BINARY).metrics(["recall", "roc_auc"], by="g").frame
    assert rows.set_index(["metric", "g"]).loc[("recall", "a"), "note"] == "no positives"
    assert rows.set_index(["metric", "g"]).loc[("roc_auc", "a"), "note"] == "only one class"
    assert rows[rows["g"] != "a"]["value"].notna().all()


def test_missing_and_infinite_labels_and_scores_are_counted(frame: pd.DataFrame) -> None:
    dirty = frame.astype({"y": float})
    dirty.loc[0, "p"], dirty.loc[1, "p"], dirty.loc[2, "y"], dirty.loc[3, "y"] = np.inf, np.nan, np.nan, np.inf
    result = dirty.evals(**BINARY).metrics(["roc_auc", "accuracy", "log_loss"])
    clean = frame.drop(index=[0, 1, 2, 3]).evals(**BINARY).metrics(["roc_auc", "accuracy", "log_loss"])
    pd.testing.assert_frame_equal(result.frame, clean.frame)
    text = " ".join(result.notes)
    assert "4 rows left out" in text
    for reason in ("2 missing y_true (y)", "1 missing y_score (p)", "1 infinite y_score (p)"):
        assert reason in text or reason.replace("2 missing y_true (y)", "1 infinite y_true (y)") in text


def test_missing_and_infinite_numbers_of_a_regression(frame: pd.DataFrame) -> None:
    dirty = frame.copy()
    dirty.loc[[0, 1], "amount"] = [np.inf, np.nan]
    dirty.loc[2, "forecast"] = -np.inf
    result = dirty.evals(y_true="amount", y_pred="forecast").metrics(["mae", "r2", "max_error", "median_ae"])
    clean = frame.drop(index=[0, 1, 2]).evals(y_true="amount", y_pred="forecast")
    pd.testing.assert_frame_equal(result.frame, clean.metrics(["mae", "r2", "max_error", "median_ae"]).frame)
    assert "3 rows left out" in " ".join(result.notes)


@pytest.mark.parametrize("column", ["p", "y"])
def test_nothing_but_missing_values(frame: pd.DataFrame, column: str) -> None:
    result = frame.assign(**{column: np.nan}).evals(**BINARY).metrics()
    assert result.frame["value"].isna().all()
    assert set(result.frame["n"]) == {0}
    assert "200 rows left out" in " ".join(result.notes)
    result._repr_html_()


@pytest.mark.parametrize("roles", [BINARY, {"y_true": "amount", "y_pred": "forecast"}, {"outcomes": ["p"]}])
@pytest.mark.parametrize("by", [None, "g"])
def test_zero_rows(frame: pd.DataFrame, roles: dict[str, Any], by: str | None) -> None:
    evaluation = frame.iloc[:0].evals(**roles, task=None if "outcomes" in roles else frame.evals(**roles).task)
    result = evaluation.metrics(by=by)
    _reasons(result)
    assert set(result.frame["n"]) == {0}
    assert "rows" in repr(evaluation)
    result._repr_html_()
    evaluation._repr_html_()


@pytest.mark.parametrize("roles", [BINARY, {"y_true": "amount", "y_pred": "forecast"}])
def test_one_row(frame: pd.DataFrame, roles: dict[str, Any]) -> None:
    result = frame.iloc[:1].evals(**roles, task=frame.evals(**roles).task).metrics()
    assert set(result.frame["n"]) == {1}
    assert (result.frame["note"] != "").all()


def test_rounding_outside_the_unit_interval_is_clipped(frame: pd.DataFrame) -> None:
    rounded = frame.assign(p=frame["p"].where(frame["p"] < 0.9, 1 + 1e-5).where(frame["p"] > 0.1, -1e-5))
    clipped = rounded.assign(p=rounded["p"].clip(0, 1))
    metrics = ["log_loss", "brier", "roc_auc"]
    found, expected = (d.evals(**BINARY).metrics(metrics).frame for d in (rounded, clipped))
    pd.testing.assert_frame_equal(found, expected)
    assert (
        dfevals.datasets.load("imdb")
        .evals(**dfevals.datasets.describe("imdb").roles)
        .metrics("log_loss")
        .frame["value"]
        .notna()
        .all()
    )


def test_scores_outside_the_unit_interval_rank_but_have_no_log_loss(frame: pd.DataFrame) -> None:
    margins = frame.assign(p=np.log(frame["p"] / (1 - frame["p"])))
    evaluation = margins.evals(**BINARY)
    found = evaluation.metrics().frame.set_index("metric")["value"]
    expected = frame.evals(**BINARY).metrics(list(found.index)).frame.set_index("metric")["value"]
    pd.testing.assert_series_equal(found, expected)
    assert "log_loss" not in found.index
    with pytest.raises(MetricError, match="brier"):
        evaluation.metrics("brier")


def test_weights_of_zero(frame: pd.DataFrame) -> None:
    result = frame.assign(w=0.0).evals(**BINARY, sample_weight="w").metrics()
    _reasons(result)
    assert result.frame["value"].isna().all()


def test_constant_truth_has_no_r2(frame: pd.DataFrame) -> None:
    for constant in (3.5, 0.1, 1e9 + 0.3):
        flat = frame.assign(amount=constant)
        reasons = _reasons(
            flat.evals(y_true="amount", y_pred="forecast", task="regression").metrics(
                ["r2", "explained_variance", "mae"]
            )
        )
        assert reasons == dict.fromkeys(["r2", "explained_variance"], "the truth does not vary")


def test_values_out_of_the_domain_of_a_loss(frame: pd.DataFrame) -> None:
    negative = frame.assign(forecast=frame["forecast"].where(frame["g"] == "a", -frame["forecast"] - 1))
    result = negative.evals(y_true="amount", y_pred="forecast").metrics(
        ["msle", "mean_poisson_deviance", "mae"], by="g"
    )
    rows = result.frame.set_index(["metric", "g"])
    assert rows.loc[("msle", "b"), "note"] == "a value of −1 or less has no log1p"
    assert "≤ 0" in rows.loc[("mean_poisson_deviance", "b"), "note"]
    assert rows.loc[[("msle", "a"), ("mean_poisson_deviance", "a"), ("mae", "b")], "value"].notna().all()


def test_a_callable_that_fails_says_so_in_place(frame: pd.DataFrame) -> None:
    def broken(y_true: Any, y_pred: Any) -> float:
        raise ValueError("no luck <b>")

    result = frame.evals(**BINARY).metrics([broken, "recall"], by="g")
    assert set(result.frame.query("metric == 'broken'")["note"]) == {"ValueError: no luck <b>"}
    assert result.frame.query("metric == 'recall'")["value"].notna().all()
    assert "no luck <b>" not in result._repr_html_()


def test_a_million_cohorts_are_refused_quickly() -> None:
    wide = pd.DataFrame({"y": np.zeros(1_000_000, np.int8), "p": 0.5, "id": np.arange(1_000_000)})
    with pytest.raises(CohortError, match=r"'id' has more than 100,000 different values.*top\(\) or bins\(\)"):
        wide.evals(y_true="y", y_score="p").metrics("accuracy", by="id")
    wide["name"] = wide["id"].astype(str)
    with pytest.raises(CohortError, match="100,000"):
        wide.evals(y_true="y", y_score="p").metrics("accuracy", by="name")


def test_hostile_text_is_escaped_everywhere(frame: pd.DataFrame) -> None:
    hostile = frame.assign(**{SCRIPT: frame["g"].map({"a": SCRIPT, "b": "ok"})}).rename(columns={"p": f"p{SCRIPT}"})
    hostile["y"] = hostile["y"].map({0: "no", 1: SCRIPT})
    roles = {"y_true": "y", "y_score": {f"m{SCRIPT}": f"p{SCRIPT}"}, "pos_label": SCRIPT}
    evaluation = hostile.evals(**roles, cohorts=[SCRIPT], sample_weight=None)
    by: list[Any] = [SCRIPT, {SCRIPT: "amount > 3"}]
    views = [evaluation._repr_html_()]
    for definition in by:
        views += [
            evaluation.metrics(by=definition)._repr_html_(),
            evaluation.metrics(by=definition, relative_to="complement")._repr_html_(),
            evaluation.metrics("f1_macro", by=definition, by_class=True)._repr_html_(),
            evaluation.confusion(by=definition)._repr_html_(),
        ]
    for html in views:
        assert re.search(r"<script", html, re.IGNORECASE) is None
        assert "alert(1)" in html


def test_roles_do_not_survive_a_merge_and_the_error_says_so(frame: pd.DataFrame) -> None:
    kept = frame.copy()
    kept.evals.set_roles(**BINARY)
    merged = kept.merge(pd.DataFrame({"g": ["a", "b"], "size": [1, 2]}), on="g").drop(columns="y")
    merged.attrs = {}
    with pytest.raises(RoleError, match=r"Which column holds the truth\?"):
        merged.evals()


def test_stored_roles_that_are_none(frame: pd.DataFrame) -> None:
    for junk in ("{bad", "[1]", 3):
        spoilt = frame.copy()
        spoilt.attrs["dfevals"] = junk
        with pytest.raises(RoleError, match=r"does not hold roles. Set them again: df.evals.set_roles"):
            spoilt.evals()
