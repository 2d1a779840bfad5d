"""The registry: one record per metric, from which names, tables and requests follow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.exceptions import MetricError
from dfevals.metrics import registry
from dfevals.needs import Cells

REQUIRED = [
    "accuracy",
    "error_rate",
    "balanced_accuracy",
    "precision",
    "recall",
    "specificity",
    "npv",
    "fpr",
    "fnr",
    "fdr",
    "f1",
    "fbeta",
    "jaccard",
    "mcc",
    "cohen_kappa",
    "cohen_kappa_linear",
    "cohen_kappa_quadratic",
    "g_mean",
    "youden_j",
    "lr_plus",
    "lr_minus",
    "selection_rate",
    "base_rate",
    "top_k_accuracy",
    "roc_auc",
    "roc_auc_ovr",
    "roc_auc_ovr_weighted",
    "roc_auc_ovo",
    "roc_auc_ovo_weighted",
    "average_precision",
    "gini",
    "ks",
    "concordant",
    "discordant",
    "tied",
    "somers_d",
    "log_loss",
    "brier",
    "brier_skill",
    "mae",
    "mse",
    "rmse",
    "msle",
    "rmsle",
    "r2",
    "adjusted_r2",
    "explained_variance",
    "mape",
    "smape",
    "median_ae",
    "max_error",
    "mean_error",
    "pearson_r",
    "mean_poisson_deviance",
    "mean_gamma_deviance",
    "mean_tweedie_deviance",
    "pinball",
    "interval_coverage",
    "interval_width",
    "mean",
    "pass_rate",
    "fail_rate",
    "std",
    "min",
    "max",
    "p50",
    "p90",
    "p95",
    "p99",
    "f1_macro",
    "f1_micro",
    "f1_weighted",
    "precision_macro",
    "recall_weighted",
    "fbeta_micro",
    "jaccard_macro",
    "specificity_weighted",
]


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Metrics that a test adds are taken out again."""
    registry.records()
    kept = [dict(store) for store in (registry._RECORDS, registry._ALIASES, registry._PARAMETRIC)]
    yield
    for store, before in zip((registry._RECORDS, registry._ALIASES, registry._PARAMETRIC), kept, strict=True):
        store.clear()
        store.update(before)


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 200)
    return pd.DataFrame(
        {"y": y, "p": 0.7 * rng.random(200) + 0.3 * y, "g": rng.choice(["a", "b"], 200), "w": rng.random(200)}
    )


@pytest.mark.parametrize("name", REQUIRED)
def test_metric_is_there(name: str) -> None:
    assert str(registry.find(name)) == name


@pytest.mark.parametrize("record", registry.records().values(), ids=str)
def test_record_is_complete(record: registry.Metric) -> None:
    assert record.doc.endswith(".")
    assert record.formula
    assert record.reference
    assert record.interval
    assert record.range[0] < record.range[1]
    assert record.better in ("higher", "lower", "none", "zero", "one")
    assert record.tasks


def test_aliases_are_unique_and_found() -> None:
    taken = [alias for record in registry.records().values() for alias in record.aliases]
    assert len(taken) == len(set(taken))
    assert not set(taken) & set(registry.records())
    for record in registry.records().values():
        for alias in record.aliases:
            assert registry.find(alias).metric.name == record.name
            assert str(registry.find(alias)) == alias


def test_table_lists_every_record() -> None:
    table = dfevals.metrics.table()
    assert table["name"].tolist() == list(registry.records())
    columns = ["name", "aliases", "family", "needs", "range", "better", "interval", "formula", "reference"]
    assert table.columns.tolist()[: len(columns)] == columns
    assert table.set_index("name").loc["mcc", "range"] == "[−1, 1]"


@pytest.mark.parametrize(
    ("text", "record"),
    [
        ("fbeta(beta=2)", lambda: dfevals.metrics.fbeta(beta=2)),
        ("pinball(alpha=0.9)", lambda: dfevals.metrics.pinball(alpha=0.9)),
        ("top_k_accuracy(k=3)", lambda: dfevals.metrics.top_k_accuracy(k=3)),
        ("adjusted_r2(n_features=5)", lambda: dfevals.metrics.adjusted_r2(n_features=5)),
    ],
)
def test_parametric_metrics_by_text_and_by_call(text: str, record: Any) -> None:
    assert registry.find(text).metric.name == record().name == text
    assert dict(registry.find(text).metric.parameters) == dict(record().parameters)


def test_parameters_have_their_defaults() -> None:
    assert dict(registry.find("fbeta").metric.parameters) == {"beta": 2.0}
    assert registry.find(dfevals.metrics.fbeta).label == "fbeta"
    with pytest.raises(MetricError, match=r"no parameter 'betta'[.] Did you mean 'beta'"):
        dfevals.metrics.fbeta(betta=2)
    for text in ("fbeta(2)", "fbeta(beta=__import__('os'))", "fbeta(beta=)"):
        with pytest.raises(MetricError, match=r"Write it like|is not known|There is no metric"):
            registry.find(text)


def test_averages_of_ranking_have_no_micro() -> None:
    with pytest.raises(MetricError, match="micro average is not defined"):
        registry.resolve("average_precision_micro", "multiclass")


def test_asking_twice_gives_one_row(frame: pd.DataFrame) -> None:
    found = frame.evals(y_true="y", y_score="p").metrics(["recall", "recall", "tpr"]).frame
    assert found["metric"].tolist() == ["recall", "tpr"]
    assert found["value"].nunique() == 1


def test_own_metric_by_decorator(frame: pd.DataFrame) -> None:
    @dfevals.metric(name="cost_per_row", better="lower", range=(0, np.inf))
    def cost(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        """Mean cost.

        More text.
        """
        return float(np.average(np.where(y_true == y_pred, 0, np.where(y_true == 1, 5, 1)), weights=sample_weight))

    evaluation = frame.evals(y_true="y", y_score="p")
    found = evaluation.metrics("cost_per_row", by="g").frame.set_index("g")["value"]
    for g in ("a", "b"):
        part = frame[frame["g"] == g]
        assert found[g] == pytest.approx(cost(part["y"], (part["p"] >= 0.5).astype(int)))
    weighted = frame.evals(y_true="y", y_score="p", sample_weight="w").metrics("cost_per_row").frame["value"].item()
    assert weighted == pytest.approx(cost(frame["y"], (frame["p"] >= 0.5).astype(int), frame["w"]))
    drawn = evaluation.metrics("cost_per_row", interval="bootstrap", n_resamples=50, random_state=0).frame.iloc[0]
    assert drawn["ci_low"] < drawn["value"] < drawn["ci_high"]
    assert "Mean cost." in dfevals.metrics.table()["description"].tolist()


def test_own_metric_of_cells(frame: pd.DataFrame) -> None:
    from dfevals.metrics.estimands import Ratio

    @dfevals.metric(needs=Cells, range=(0, 1), aliases=("wrong_share",), averages=True)
    def wrong(cells: Any) -> Ratio:
        return Ratio(cells.fp + cells.fn, cells.tp + cells.fp + cells.fn + cells.tn)

    evaluation = frame.evals(y_true="y", y_score="p")
    found = evaluation.metrics(["wrong_share", "error_rate"]).frame
    assert found["value"].nunique() == 1
    assert found["ci_low"].nunique() == 1


def test_own_metric_of_scores(frame: pd.DataFrame) -> None:
    def spread(y_true: Any, y_score: Any) -> float:
        return float(np.mean(y_score[y_true == 1]) - np.mean(y_score[y_true == 0]))

    found = frame.evals(y_true="y", y_score="p").metrics(spread).frame.iloc[0]
    means = frame.groupby("y")["p"].mean()
    assert found["metric"] == "spread"
    assert found["value"] == pytest.approx(means[1] - means[0])


def test_any_function_of_scikit_learn(frame: pd.DataFrame) -> None:
    from sklearn.metrics import hinge_loss, zero_one_loss

    weighted = frame.evals(y_true="y", y_score="p", sample_weight="w")
    found = weighted.metrics([zero_one_loss, "error_rate", hinge_loss]).frame.set_index("metric")["value"]
    assert found["zero_one_loss"] == pytest.approx(found["error_rate"])
    assert found["hinge_loss"] == pytest.approx(hinge_loss(frame["y"], frame["p"], sample_weight=frame["w"]))


def test_names_cannot_be_taken() -> None:
    with pytest.raises(MetricError, match="'tpr' is an alias of 'recall'"):
        dfevals.metric(lambda y_true, y_pred: 0.0, name="tpr")
    with pytest.raises(MetricError, match="alias 'recall' of 'mine' is the name of another metric"):
        dfevals.metric(lambda y_true, y_pred: 0.0, name="mine", aliases=("recall",))


def test_unknown_attribute_of_the_module() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = dfevals.metrics.nothing


def test_needs_and_estimands_have_public_names() -> None:
    assert dfevals.needs.Cells is Cells
    for name in ("Ratio", "MeanOfRatios", "Mean", "Smooth", "SmoothMoments", "Value"):
        assert name in dfevals.metrics.__all__
        assert getattr(dfevals.metrics, name).__module__ == "dfevals.metrics.estimands"


def test_completion_offers_the_metrics_and_no_inner_names() -> None:
    assert {"fbeta", "ece", "recall", "Ratio", "table"} <= set(dir(dfevals.metrics))
    inner = {"Any", "annotations", "TYPE_CHECKING", "import_module", "registry"}
    assert not inner & {*dir(dfevals), *dir(dfevals.metrics)}
    assert [name for name in dir(dfevals.metrics) if not hasattr(dfevals.metrics, name)] == []


def test_an_unknown_metric_far_from_all_names_is_one_clean_sentence() -> None:
    with pytest.raises(MetricError) as caught:
        registry.find("qqqqqqqq")
    assert str(caught.value) == "There is no metric 'qqqqqqqq'. dfevals.metrics.table() lists all of them."
