"""Laws that every metric of the registry obeys, whatever its family: one suite, driven by the records."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import dfevals
from dfevals.metrics.registry import names, records
from laws.frames import Case, binary, cases, metric_names, multiclass, outcomes, regression

CASES = {case.name: case for case in cases(300)}
WEIGHTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "importance": {"sample_weight": "w"},
    "frequency": {"sample_weight": "f", "weight_kind": "frequency"},
    "clustered": {"cluster": "user"},
}
NUMBERS = ["value", "ci_low", "ci_high", "n", "support"]


def metrics_of(case: Case, weights: str) -> list[str]:
    """The metrics of a case that such weights allow."""
    return metric_names(case.task, weighted=weights in ("importance", "frequency"))


def test_every_metric_is_under_the_laws() -> None:
    tested = {name for task in ("binary", "multiclass", "regression", "outcomes") for name in metric_names(task)}
    own = {r.name for r in records().values() if r.family == "custom"}
    families = {r.name for r in records().values()} - own
    assert families <= tested | {"clustering"}
    averaged = {n for n in names() if n.rsplit("_", 1)[-1] in ("macro", "micro", "weighted")} - own
    ranked = {r.name for r in records().values() if "score" in r.requires}
    assert {n for n in averaged if n.removesuffix("_micro") not in ranked} - tested <= {
        n for n in averaged if "multiclass" not in records()[n.rsplit("_", 1)[0]].tasks
    }


def table(result: Any, keys: tuple[str, ...] = ()) -> pd.DataFrame:
    """Numbers of a result, in an order that does not depend on the order of cohorts."""
    frame = result.frame
    index = [*keys, *result.cohort_columns, "model", "metric", *(["class"] if "class" in frame else [])]
    return frame.set_index(index)[[*NUMBERS, "note"]].sort_index()


def assert_same(a: pd.DataFrame, b: pd.DataFrame, rtol: float = 1e-9) -> None:
    """Two tables hold the same numbers and the same reasons."""
    assert a.index.equals(b.index)
    for column in NUMBERS:
        for key, x, y in zip(a.index, a[column], b[column], strict=True):
            assert_allclose(x, y, rtol=rtol, atol=1e-9, err_msg=f"{column} of {key}")
    assert a["note"].tolist() == b["note"].tolist()


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("name", CASES)
def test_tally_of_the_union_is_the_sum_of_the_tallies(name: str, weights: str) -> None:
    case, roles = CASES[name], WEIGHTS[weights]
    metrics = metrics_of(case, weights)
    rng = np.random.default_rng(7)
    part = rng.choice(3, len(case.frame))
    part[case.frame["region"] == "east"] = 1  # cohorts that are in one part only
    tallies = [case.evaluation(case.frame[part == i], **roles).collect(metrics, by=["sex", "region"]) for i in range(3)]
    whole = case.evaluation(**roles).metrics(metrics, by=["sex", "region"])
    summed = (tallies[0] + tallies[1] + tallies[2]).metrics()
    assert_same(table(summed), table(whole))
    swapped = (tallies[2] + (tallies[1] + tallies[0])).metrics()
    assert_same(table(swapped), table(whole))


@pytest.mark.parametrize("weights", ["plain", "clustered"])
@pytest.mark.parametrize("name", CASES)
def test_metrics_of_the_tally_are_the_metrics_of_the_evaluation(name: str, weights: str) -> None:
    case = CASES[name]
    evaluation = case.evaluation(**WEIGHTS[weights])
    metrics = metrics_of(case, weights)
    by = dfevals.each("sex", ["region", dfevals.bins("age", [30, 50])])
    tally = evaluation.collect(metrics, by=by)
    direct = evaluation.metrics(metrics, by=by).frame
    pd.testing.assert_frame_equal(tally.metrics().frame, direct)
    pd.testing.assert_frame_equal(tally.metrics(metrics[:2]).frame, evaluation.metrics(metrics[:2], by=by).frame)


@pytest.mark.parametrize("name", CASES)
def test_frequency_weight_is_repetition(name: str) -> None:
    case = CASES[name]
    repeated = case.frame.loc[case.frame.index.repeat(case.frame["f"])].reset_index(drop=True)
    metrics = metrics_of(case, "importance")
    weighted = case.evaluation(**WEIGHTS["frequency"]).metrics(metrics, by="region")
    assert_same(table(weighted), table(case.evaluation(repeated).metrics(metrics, by="region")))


def test_frequency_weight_is_repetition_for_callables() -> None:
    case = CASES["regression"]
    repeated = case.frame.loc[case.frame.index.repeat(case.frame["f"])].reset_index(drop=True)

    def plain(y_true: Any, y_pred: Any) -> float:
        return float(np.mean((y_true - y_pred) ** 4))

    def weighted(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        return float(np.average((y_true - y_pred) ** 4, weights=sample_weight))

    found = case.evaluation(**WEIGHTS["frequency"]).metrics([plain, weighted], by="region")
    assert_same(table(found), table(case.evaluation(repeated).metrics([plain, weighted], by="region")))


@pytest.mark.parametrize("weights", ["plain", "importance", "clustered"])
@pytest.mark.parametrize("name", CASES)
def test_row_order_is_irrelevant(name: str, weights: str) -> None:
    case, metrics = CASES[name], metrics_of(CASES[name], weights)
    shuffled = case.frame.sample(frac=1, random_state=0)
    a, b = (case.evaluation(f, **WEIGHTS[weights]).metrics(metrics, by="region") for f in (case.frame, shuffled))
    assert_same(table(a), table(b))


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("name", CASES)
def test_cohorts_are_filter_then_compute(name: str, weights: str) -> None:
    case, metrics = CASES[name], metrics_of(CASES[name], weights)
    evaluation = case.evaluation(**WEIGHTS[weights])
    grouped = evaluation.metrics(metrics, by="region")
    for region in ("north", "south", "east"):
        mine = grouped.frame[grouped.frame["region"] == region]
        alone = evaluation.where(f"region == '{region}'").metrics(metrics).frame
        assert_same(*(f.set_index(["model", "metric"])[[*NUMBERS, "note"]] for f in (mine, alone)))
    whole = grouped.frame[grouped.frame["is_overall"]]
    assert_same(
        *(f.set_index(["model", "metric"])[[*NUMBERS, "note"]] for f in (whole, evaluation.metrics(metrics).frame))
    )


@pytest.mark.parametrize("weights", ["plain", "importance"])
@pytest.mark.parametrize("name", CASES)
def test_overlapping_cohorts_equal_separate_filters(name: str, weights: str) -> None:
    case, metrics = CASES[name], metrics_of(CASES[name], weights)
    evaluation = case.evaluation(**WEIGHTS[weights])
    named = {
        "young": "age < 40",
        "north": "region == 'north'",
        "both": "age < 40 and region == 'north'",
        "all": "age > 0",
    }
    found = evaluation.metrics(metrics, by=named).frame
    for cohort, expression in named.items():
        alone = evaluation.where(expression).metrics(metrics).frame
        mine = found[found["cohort"] == cohort]
        assert_same(*(f.set_index(["model", "metric"])[[*NUMBERS, "note"]] for f in (mine, alone)))
    each = evaluation.metrics(metrics, by=dfevals.each("region", "sex")).frame
    for column, other in (("region", "sex"), ("sex", "region")):
        alone = evaluation.metrics(metrics, by=column).frame
        mine = each[(each[other] == "(all)") | each["is_overall"]]
        index = [column, "model", "metric"]
        assert_same(*(f.set_index(index)[[*NUMBERS, "note"]].sort_index() for f in (mine, alone)))


@pytest.mark.parametrize("name", CASES)
def test_unjudgeable_rows_are_dropped_for_all_metrics_of_a_model_alike(name: str) -> None:
    case, metrics = CASES[name], metrics_of(CASES[name], "importance")
    result = case.evaluation(sample_weight="w").metrics(metrics)
    columns = {"binary": ["y", "{}"], "regression": ["y", "{}", "low", "high"], "outcomes": []}
    columns["multiclass 3"] = ["y", "guess", "p_c00", "p_c01", "p_c02"]
    for model, rows in result.frame.groupby("model"):
        used = [text.format(model) for text in columns[name]]
        left = case.frame.dropna(subset=used) if used else case.frame
        assert rows["n"].unique().tolist() == [len(left)]
        alone = (
            Case(case.name, left, case.roles, case.task).evaluation(sample_weight="w").metrics(metrics, models=model)
        )
        assert_same(*(f.set_index("metric")[[*NUMBERS, "note"]] for f in (rows, alone.frame)))


@pytest.mark.parametrize("name", ["binary", "multiclass 3"])
def test_renamed_and_reordered_labels_change_nothing(name: str) -> None:
    case = CASES[name]
    ordered = (
        "linear",
        "quadratic",
        "top_k",
        "ece",
        "ace",
        "mce",
    )  # these depend on the order of the classes, by definition or in ties
    metrics = [m for m in metrics_of(case, "plain") if name == "binary" or not any(word in m for word in ordered)]
    if name == "binary":
        names_ = {"yes": 7, "no": 9}
        roles = {**case.roles, "pos_label": 7}
        frame = case.frame.assign(y=case.frame["y"].map(names_))
    else:
        names_ = {"c00": "z", "c01": "k", "c02": "a"}
        frame = case.frame.assign(y=case.frame["y"].map(names_), guess=case.frame["guess"].map(names_))
        frame = frame.rename(columns={f"p_{old}": f"p_{new}" for old, new in names_.items()})
        roles = {**case.roles, "labels": ["a", "k", "z"]}
    renamed = Case(case.name, frame, roles, case.task)
    assert_same(*(table(c.evaluation().metrics(metrics, by="region")) for c in (case, renamed)))


@pytest.mark.parametrize("name", CASES)
def test_blocks_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case, metrics = CASES[name], metrics_of(CASES[name], "importance")
    for roles in WEIGHTS.values():
        whole = table(case.evaluation(**roles).metrics(metrics, by="sex"))
        with monkeypatch.context() as patch:
            for module in ("roles.bound", "engines.frame", "engines.block", "analyses.worst", "tally.scores"):
                target = __import__(f"dfevals.{module}", fromlist=["x"])
                for constant, size in (("BLOCK", 97), ("PIECE", 53)):
                    if hasattr(target, constant):
                        patch.setattr(target, constant, size)
            assert_same(table(case.evaluation(**roles).metrics(metrics, by="sex")), whole)


@pytest.mark.parametrize("name", CASES)
def test_scaling_importance_weights_changes_nothing_but_support(name: str) -> None:
    case, metrics = CASES[name], metrics_of(CASES[name], "importance")
    scaled = case.frame.assign(w=case.frame["w"] * 1000)
    frames = [c.set_index(["model", "metric"]) for c in (
        case.evaluation(f, sample_weight="w").metrics(metrics).frame for f in (case.frame, scaled)
    )]  # fmt: skip
    for column in ("value", "ci_low", "ci_high", "n"):
        assert_allclose(frames[0][column], frames[1][column], rtol=1e-9, atol=1e-9, err_msg=column)


@pytest.mark.parametrize("name", CASES)
def test_importance_weights_of_one_are_no_weights(name: str) -> None:
    case, metrics = CASES[name], metrics_of(CASES[name], "importance")
    # interpolation between ranks has no weighted form: weights take the averaged inverse, as scikit-learn does
    metrics = [m for m in metrics if not m.startswith(("p9", "quantile", "ace"))]
    ones = case.frame.assign(one=1.0)
    plain = case.evaluation().metrics(metrics, ci=None).frame
    weighted = case.evaluation(ones, sample_weight="one").metrics(metrics, ci=None).frame
    assert_allclose(weighted["value"], plain["value"], rtol=1e-12)
    assert weighted["n"].tolist() == plain["n"].tolist()


@pytest.mark.parametrize("name", CASES)
def test_interval_holds_the_value_and_stays_in_range(name: str) -> None:
    case, metrics = CASES[name], metrics_of(CASES[name], "importance")
    ranges = {r.name: r.range for r in records().values()}
    for roles in WEIGHTS.values():
        frame = case.evaluation(**roles).metrics(metrics, by=["region", "sex"]).frame
        known = frame.dropna(subset=["value", "ci_low", "ci_high"])
        assert len(known) > 0.5 * len(frame)
        assert (known["ci_low"] <= known["value"] + 1e-9).all()
        assert (known["ci_high"] >= known["value"] - 1e-9).all()
        for row in known.itertuples():
            low, high = ranges.get(row.metric, (-np.inf, np.inf))
            assert low - 1e-9 <= row.ci_low <= row.ci_high <= high + 1e-9, row
        undefined = frame[frame["value"].isna()]
        assert (undefined["note"] != "").all(), "an undefined value says why"


def test_parts_may_lack_a_class() -> None:
    case = multiclass(3)
    metrics = ["accuracy", "f1_macro", "mcc", "recall"]
    roles = {"y_true": "y", "y_pred": "guess"}
    frame = case.frame.dropna(subset=["y"])
    first = frame["y"].isin(["c00", "c01"]) & frame["guess"].isin(["c00", "c01"])
    parts = [frame[first].evals(**roles, task="multiclass"), frame[~first].evals(**roles)]
    assert parts[0].labels == ("c00", "c01")
    summed = (parts[0].collect(metrics, by="sex") + parts[1].collect(metrics, by="sex")).metrics()
    assert_same(table(summed), table(frame.evals(**roles).metrics(metrics, by="sex")))


@pytest.mark.parametrize("labels", [("no", "yes"), (2, 1), (True, False)])
def test_binary_parts_may_hold_one_class_only(labels: tuple[Any, Any]) -> None:
    case = binary(missing=0)
    frame = case.frame.assign(y=case.frame["y"].map({"no": labels[0], "yes": labels[1]}))
    roles = {**case.roles, "pos_label": labels[1]}
    metrics = ["precision", "roc_auc", "brier", "brier_skill", "mcc"]
    whole = table(frame.evals(**roles).metrics(metrics, by="sex"))
    parts = [frame[frame["y"] == label].evals(**roles).collect(metrics, by="sex") for label in labels]
    assert_same(table((parts[0] + parts[1]).metrics()), whole)
    assert_same(table((parts[1] + parts[0]).metrics()), whole)


def test_an_empty_part_adds_nothing() -> None:
    for case in (binary(), regression(), outcomes()):
        metrics = metrics_of(case, "importance")
        for roles in WEIGHTS.values():
            evaluation = case.evaluation(**roles)
            whole = evaluation.collect(metrics, by="sex")
            nothing = evaluation.where(np.zeros(len(case.frame), bool)).collect(metrics, by="sex")
            for summed in (whole + nothing, nothing + whole):
                assert_same(table(summed.metrics()), table(whole.metrics()))


def test_tallies_of_different_questions_do_not_add() -> None:
    evaluation = binary().evaluation()
    with pytest.raises(dfevals.exceptions.DataError, match="different cohort columns"):
        evaluation.collect("recall", by="sex") + evaluation.collect("recall", by="region")
    with pytest.raises(dfevals.exceptions.DataError, match="different metrics"):
        evaluation.collect("recall") + evaluation.collect("roc_auc")
    with pytest.raises(dfevals.exceptions.DataError, match="different tasks"):
        evaluation.collect("accuracy") + multiclass(3).evaluation().collect("accuracy")


@pytest.mark.parametrize("weights", WEIGHTS)
def test_bootstrap_agrees_with_the_default_interval_in_large_samples(weights: str) -> None:
    for case, metrics in (
        (binary(2500, missing=0), ["recall", "roc_auc", "log_loss"]),
        (regression(2500, missing=0), ["mae", "median_ae"]),
    ):
        evaluation = case.evaluation(**WEIGHTS[weights])
        model = evaluation.models[0]
        default = evaluation.metrics(metrics, models=model).frame.set_index("metric")
        drawn = evaluation.metrics(
            metrics, models=model, interval="bootstrap", n_resamples=200, random_state=0
        ).frame.set_index("metric")
        width = default["ci_high"] - default["ci_low"]
        if weights == "clustered":
            width = width.drop("median_ae", errors="ignore")
        for metric in width.index:
            assert drawn.loc[metric, "ci_low"] == pytest.approx(default.loc[metric, "ci_low"], abs=0.25 * width[metric])
            assert drawn.loc[metric, "ci_high"] == pytest.approx(
                default.loc[metric, "ci_high"], abs=0.25 * width[metric]
            )
