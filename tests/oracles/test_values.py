"""Every metric with an independent implementation equals it on random rows with ties, weights and missing values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import sklearn.metrics as skm

import dfevals
from dfevals.metrics.registry import find, records
from laws.frames import Case, binary, metric_names, multiclass, outcomes, regression

Rows = dict[str, Any]
Oracle = Callable[[Rows], float]


def _rows(case: Case, model: str, weight: str | None, labels: list[Any]) -> Rows:
    """float64 copies of the rows that the missing-value policy leaves."""
    roles, frame = case.roles, case.frame
    if case.task == "binary":
        used, columns = ["y", model], {"score": model}
    elif case.task == "multiclass":
        scores = [f"p_{label}" for label in labels]
        used, columns = ["y", "guess", *scores], {"scores": scores, "pred": "guess"}
    else:
        used = ["y", model, "low", "high"]
        columns = {"pred": model, "low": "low", "high": "high"}
    kept = frame.dropna(subset=[*used, *([weight] if weight else [])])
    rows: Rows = {name: kept[column].to_numpy() for name, column in columns.items()}
    rows["true"] = kept["y"].to_numpy()
    rows["weight"] = None if weight is None else kept[weight].to_numpy(float)
    if case.task == "binary":
        rows["true"] = (rows["true"] == roles["pos_label"]).astype(int)
        rows["pred"] = (rows["score"] >= 0.5).astype(int)
        labels = [0, 1]
    rows["labels"] = labels
    return rows


def _cells(name: str, **fixed: Any) -> Callable[[str | None, bool], Oracle]:
    """A scikit-learn function of labels and predictions, by average."""

    def build(average: str | None, binary_task: bool) -> Oracle:
        options = dict(fixed)
        if average is not None or not binary_task:
            options["average"] = average or "macro"
        else:
            options["pos_label"] = 1
        return lambda r: getattr(skm, name)(r["true"], r["pred"], sample_weight=r["weight"], zero_division=0, **options)

    return build


def _whole(name: str, **options: Any) -> Oracle:
    return lambda r: getattr(skm, name)(r["true"], r["pred"], sample_weight=r["weight"], **options)


def _kappa(weights: str | None) -> Oracle:
    return lambda r: skm.cohen_kappa_score(
        r["true"], r["pred"], labels=r["labels"], weights=weights, sample_weight=r["weight"]
    )


def _four(r: Rows) -> tuple[float, float, float, float]:
    """tn, fp, fn, tp."""
    return tuple(skm.confusion_matrix(r["true"], r["pred"], sample_weight=r["weight"]).ravel())


def _auc(r: Rows) -> float:
    return skm.roc_auc_score(r["true"], r["score"], sample_weight=r["weight"])


def _per_class(r: Rows, function: Callable[..., float]) -> tuple[np.ndarray, np.ndarray]:
    truth = np.stack([r["true"] == label for label in r["labels"]]).astype(int)
    weight = np.ones(len(r["true"])) if r["weight"] is None else r["weight"]
    values = [function(t, r["scores"][:, i], sample_weight=r["weight"]) for i, t in enumerate(truth)]
    return np.array(values), truth @ weight


def _of_classes(function: Callable[..., float], average: str | None) -> Oracle:
    def oracle(r: Rows) -> float:
        values, totals = _per_class(r, function)
        return float(np.average(values, weights=totals if average == "weighted" else None))

    return oracle


def _ovo(average: str) -> Oracle:
    """scikit-learn has no weights for one against one: the same definition pair by pair."""

    def oracle(r: Rows) -> float:
        if r["weight"] is None:
            return skm.roc_auc_score(r["true"], r["scores"], labels=r["labels"], multi_class="ovo", average=average)
        values, shares = [], []
        for i, a in enumerate(r["labels"]):
            for j, b in enumerate(r["labels"]):
                if i == j:
                    continue
                pair = (r["true"] == a) | (r["true"] == b)
                w = r["weight"][pair]
                values.append(skm.roc_auc_score(r["true"][pair] == a, r["scores"][pair, i], sample_weight=w))
                shares.append(w.sum())
        return float(np.average(values, weights=shares if average == "weighted" else None))

    return oracle


def _ks(truth: Any, score: Any, sample_weight: Any = None) -> float:
    if sample_weight is None:
        return scipy.stats.ks_2samp(score[truth == 1], score[truth == 0]).statistic
    fpr, tpr, _ = skm.roc_curve(truth, score, sample_weight=sample_weight, drop_intermediate=False)
    return float(np.max(np.abs(tpr - fpr)))


def _pairs(truth: Any, score: Any, sample_weight: Any = None) -> np.ndarray:
    """Concordant, discordant and tied shares, by all pairs."""
    w = np.ones(len(truth)) if sample_weight is None else sample_weight
    sign = np.sign(score[truth == 1][:, None] - score[truth == 0][None, :])
    weight = w[truth == 1][:, None] * w[truth == 0][None, :]
    return np.array([(weight * (sign == s)).sum() for s in (1, -1, 0)]) / weight.sum()


def _somers(truth: Any, score: Any, sample_weight: Any = None) -> float:
    if sample_weight is None and len(np.unique(score)) < 200:
        return scipy.stats.somersd(np.asarray(truth, int), score).statistic
    good, bad, _ = _pairs(truth, score, sample_weight)
    return float(good - bad)


def _binary_or_classes(function: Callable[..., float]) -> Callable[[str | None, bool], Oracle]:
    def build(average: str | None, binary_task: bool) -> Oracle:
        if binary_task:
            return lambda r: function(r["true"], r["score"], sample_weight=r["weight"])
        return _of_classes(function, average)

    return build


def _probabilities(r: Rows) -> np.ndarray:
    return r["scores"] if "scores" in r else np.column_stack([1 - r["score"], r["score"]])


def _log_loss(r: Rows) -> float:
    return skm.log_loss(r["true"], _probabilities(r), labels=r["labels"], sample_weight=r["weight"])


def _brier(r: Rows) -> float:
    if "score" in r:
        return skm.brier_score_loss(r["true"], r["score"], sample_weight=r["weight"])
    truth = np.stack([r["true"] == label for label in r["labels"]], axis=1)
    return float(np.average(((r["scores"] - truth) ** 2).sum(axis=1), weights=r["weight"]))


def _brier_skill(r: Rows) -> float:
    rate = np.average(r["true"], weights=r["weight"])
    constant = skm.brier_score_loss(r["true"], np.full(len(r["true"]), rate), sample_weight=r["weight"])
    return 1 - _brier(r) / constant


def _top_k(k: int) -> Oracle:
    def oracle(r: Rows) -> float:
        if k >= len(r["labels"]):
            return 1.0
        return skm.top_k_accuracy_score(r["true"], r["scores"], k=k, labels=r["labels"], sample_weight=r["weight"])

    return oracle


def _numbers(name: str, **options: Any) -> Oracle:
    return lambda r: getattr(skm, name)(r["true"], r["pred"], sample_weight=r["weight"], **options)


def _pearson(r: Rows) -> float:
    if r["weight"] is None:
        return scipy.stats.pearsonr(r["true"], r["pred"]).statistic
    c = np.cov(r["true"], r["pred"], aweights=r["weight"], ddof=0)
    return c[0, 1] / np.sqrt(c[0, 0] * c[1, 1])


def _class_average(of_four: Callable[..., float]) -> Callable[[str | None, bool], Oracle]:
    """A function of tn, fp, fn, tp of one class against the rest, by average."""

    def build(average: str | None, binary_task: bool) -> Oracle:
        def oracle(r: Rows) -> float:
            if binary_task and average is None:
                return of_four(*_four(r))
            each = skm.multilabel_confusion_matrix(
                r["true"], r["pred"], labels=r["labels"], sample_weight=r["weight"]
            ).reshape(-1, 4)
            if average == "micro":
                return of_four(*each.sum(axis=0))
            totals = each[:, 2] + each[:, 3] if average == "weighted" else None
            return float(np.average([of_four(*row) for row in each], weights=totals))

        return oracle

    return build


def _whole_value(oracle: Oracle) -> Callable[[str | None, bool], Oracle]:
    return lambda average, binary_task: oracle


def _g_mean(r: Rows) -> float:
    recalls = skm.recall_score(r["true"], r["pred"], average=None, sample_weight=r["weight"])
    return float(np.prod(recalls) ** (1 / len(recalls)))


def _adjusted(features: int) -> Oracle:
    def oracle(r: Rows) -> float:
        n = len(r["true"])
        return 1 - (1 - _numbers("r2_score")(r)) * (n - 1) / (n - features - 1)

    return oracle


ORACLES: dict[str, Callable[[str | None, bool], Oracle]] = {
    "accuracy": _whole_value(_whole("accuracy_score")),
    "error_rate": _whole_value(_whole("zero_one_loss")),
    "balanced_accuracy": _whole_value(_whole("balanced_accuracy_score")),
    "mcc": _whole_value(_whole("matthews_corrcoef")),
    "cohen_kappa": _whole_value(_kappa(None)),
    "cohen_kappa_linear": _whole_value(_kappa("linear")),
    "cohen_kappa_quadratic": _whole_value(_kappa("quadratic")),
    "g_mean": _whole_value(_g_mean),
    "precision": _cells("precision_score"),
    "recall": _cells("recall_score"),
    "f1": _cells("f1_score"),
    "jaccard": _cells("jaccard_score"),
    "fbeta": _cells("fbeta_score", beta=2),
    "fbeta(beta=0.5)": _cells("fbeta_score", beta=0.5),
    "fbeta(beta=3)": _cells("fbeta_score", beta=3),
    "specificity": _class_average(lambda tn, fp, fn, tp: tn / (tn + fp)),
    "npv": _class_average(lambda tn, fp, fn, tp: tn / (tn + fn)),
    "fpr": _class_average(lambda tn, fp, fn, tp: fp / (tn + fp)),
    "fnr": _class_average(lambda tn, fp, fn, tp: fn / (tp + fn)),
    "fdr": _class_average(lambda tn, fp, fn, tp: fp / (tp + fp) if tp + fp else 0.0),
    "selection_rate": _class_average(lambda tn, fp, fn, tp: (tp + fp) / (tn + fp + fn + tp)),
    "base_rate": _class_average(lambda tn, fp, fn, tp: (tp + fn) / (tn + fp + fn + tp)),
    "youden_j": _class_average(lambda tn, fp, fn, tp: tp / (tp + fn) + tn / (tn + fp) - 1),
    "lr_plus": _class_average(lambda tn, fp, fn, tp: (tp / (tp + fn)) / (fp / (tn + fp)) if fp else 0.0),
    "lr_minus": _class_average(lambda tn, fp, fn, tp: (fn / (tp + fn)) / (tn / (tn + fp))),
    "roc_auc": _whole_value(_auc),
    "roc_auc_ovr": lambda average, _: _of_classes(skm.roc_auc_score, average),
    "roc_auc_ovo": _whole_value(_ovo("macro")),
    "roc_auc_ovo_weighted": _whole_value(_ovo("weighted")),
    "average_precision": _binary_or_classes(skm.average_precision_score),
    "gini": _binary_or_classes(
        lambda t, s, sample_weight: 2 * skm.roc_auc_score(t, s, sample_weight=sample_weight) - 1
    ),
    "ks": _binary_or_classes(_ks),
    "concordant": _binary_or_classes(lambda t, s, sample_weight: _pairs(t, s, sample_weight)[0]),
    "discordant": _binary_or_classes(lambda t, s, sample_weight: _pairs(t, s, sample_weight)[1]),
    "tied": _binary_or_classes(lambda t, s, sample_weight: _pairs(t, s, sample_weight)[2]),
    "somers_d": _binary_or_classes(_somers),
    "log_loss": _whole_value(_log_loss),
    "neg_log_loss": _whole_value(lambda r: -_log_loss(r)),
    "brier": _whole_value(_brier),
    "brier_skill": _whole_value(_brier_skill),
    "top_k_accuracy": _whole_value(_top_k(2)),
    "top_k_accuracy(k=1)": _whole_value(_top_k(1)),
    "top_k_accuracy(k=3)": _whole_value(_top_k(3)),
    "mae": _whole_value(_numbers("mean_absolute_error")),
    "mse": _whole_value(_numbers("mean_squared_error")),
    "neg_mean_squared_error": _whole_value(lambda r: -_numbers("mean_squared_error")(r)),
    "rmse": _whole_value(_numbers("root_mean_squared_error")),
    "msle": _whole_value(_numbers("mean_squared_log_error")),
    "rmsle": _whole_value(_numbers("root_mean_squared_log_error")),
    "mape": _whole_value(_numbers("mean_absolute_percentage_error")),
    "smape": _whole_value(
        lambda r: np.average(
            2 * np.abs(r["true"] - r["pred"]) / (np.abs(r["true"]) + np.abs(r["pred"])), weights=r["weight"]
        )
    ),
    "mean_error": _whole_value(lambda r: np.average(r["pred"] - r["true"], weights=r["weight"])),
    "median_ae": _whole_value(_numbers("median_absolute_error")),
    "max_error": _whole_value(lambda r: skm.max_error(r["true"], r["pred"])),
    "r2": _whole_value(_numbers("r2_score")),
    "adjusted_r2": _whole_value(_adjusted(1)),
    "adjusted_r2(n_features=4)": _whole_value(_adjusted(4)),
    "explained_variance": _whole_value(_numbers("explained_variance_score")),
    "pearson_r": _whole_value(_pearson),
    "mean_poisson_deviance": _whole_value(_numbers("mean_poisson_deviance")),
    "mean_gamma_deviance": _whole_value(_numbers("mean_gamma_deviance")),
    "mean_tweedie_deviance": _whole_value(_numbers("mean_tweedie_deviance", power=1.5)),
    "mean_tweedie_deviance(power=0)": _whole_value(_numbers("mean_tweedie_deviance", power=0)),
    "mean_tweedie_deviance(power=1.2)": _whole_value(_numbers("mean_tweedie_deviance", power=1.2)),
    "mean_tweedie_deviance(power=3)": _whole_value(_numbers("mean_tweedie_deviance", power=3)),
    "pinball": _whole_value(_numbers("mean_pinball_loss", alpha=0.5)),
    "pinball(alpha=0.9)": _whole_value(_numbers("mean_pinball_loss", alpha=0.9)),
    "interval_coverage": _whole_value(
        lambda r: np.average((r["low"] <= r["true"]) & (r["true"] <= r["high"]), weights=r["weight"])
    ),
    "interval_width": _whole_value(lambda r: np.average(r["high"] - r["low"], weights=r["weight"])),
}

CASES = {case.name: case for case in (binary(), multiclass(3), multiclass(20, 3000), regression())}
ELSEWHERE = {"p50", "p90", "p95", "p99", "quantile", "pass_at_k", "pass_hat_k"}  # outcomes, below


def _oracle_of(name: str, task: str) -> Oracle | None:
    build = ORACLES.get(name)
    if build is not None:
        return build(None, task == "binary")
    request = find(name)
    build = ORACLES.get(request.metric.name)
    return None if build is None or request.average is None else build(request.average, task == "binary")


@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize("name", CASES)
def test_equals_oracle(name: str, weight: str | None) -> None:
    case = CASES[name]
    roles = {} if weight is None else {"sample_weight": weight}
    evaluation = case.evaluation(**roles)
    wanted = {m: o for m in metric_names(case.task) if (o := _oracle_of(m, case.task)) is not None}
    found = evaluation.metrics(list(wanted), ci=None).frame.set_index(["model", "metric"])["value"]
    for model in evaluation.models:
        rows = _rows(case, model, weight, list(case.roles.get("labels", [])))
        for metric, oracle in wanted.items():
            assert found[model, metric] == pytest.approx(oracle(rows), rel=1e-12, abs=1e-14), (model, metric)


@pytest.mark.parametrize("name", CASES)
def test_frequency_weights_equal_oracle_on_repeated_rows(name: str) -> None:
    case = CASES[name]
    evaluation = case.evaluation(sample_weight="f", weight_kind="frequency")
    repeated = case.frame.loc[case.frame.index.repeat(case.frame["f"])]
    wanted = {m: o for m in metric_names(case.task) if (o := _oracle_of(m, case.task)) is not None}
    found = evaluation.metrics(list(wanted), ci=None).frame.set_index(["model", "metric"])["value"]
    for model in evaluation.models:
        rows = _rows(Case(case.name, repeated, case.roles, case.task), model, None, list(case.roles.get("labels", [])))
        for metric, oracle in wanted.items():
            assert found[model, metric] == pytest.approx(oracle(rows), rel=1e-12, abs=1e-14), (model, metric)


def test_no_metric_without_its_oracle() -> None:
    claimed = {r.name for r in records().values() if r.oracle and r.family != "calibration"}  # these have their own
    assert claimed <= set(ORACLES) | ELSEWHERE
    tasks = ("binary", "multiclass", "regression")
    families = ("classification", "ranking", "probabilistic", "regression")
    known = {r.name for r in records().values() if set(r.tasks) & set(tasks) and r.family in families}
    assert known <= set(ORACLES), "a new metric needs an oracle here"


@pytest.mark.parametrize("metric", ["precision", "recall", "f1", "jaccard"])
@pytest.mark.parametrize("weight", [None, "w"])
def test_by_class_equals_oracle(metric: str, weight: str | None) -> None:
    case = CASES["multiclass 20"]
    labels = list(case.roles["labels"])
    evaluation = case.evaluation(**({} if weight is None else {"sample_weight": weight}))
    found = evaluation.metrics(metric, by_class=True, ci=None).frame
    rows = _rows(case, "p", weight, labels)
    expected = getattr(skm, f"{metric}_score")(
        rows["true"], rows["pred"], labels=labels, average=None, sample_weight=rows["weight"], zero_division=0
    )
    assert found["class"].tolist() == labels
    np.testing.assert_allclose(found["value"], expected, rtol=1e-12)


def test_ranking_by_class_equals_oracle() -> None:
    case = CASES["multiclass 3"]
    labels = list(case.roles["labels"])
    rows = _rows(case, "p", None, labels)
    found = case.evaluation().metrics(["roc_auc_ovr", "average_precision"], by_class=True, ci=None).frame
    expected = np.concatenate([_per_class(rows, f)[0] for f in (skm.roc_auc_score, skm.average_precision_score)])
    np.testing.assert_allclose(found["value"], expected, rtol=1e-12)


def test_absent_classes_take_no_part_in_averages() -> None:
    case = CASES["multiclass 20"]
    labels = list(case.roles["labels"])
    some = case.frame[case.frame["y"].isin(labels[15:]) & case.frame["guess"].isin(labels[15:])]
    names = ["precision", "recall_weighted", "f1_micro", "jaccard", "balanced_accuracy", "mcc", "cohen_kappa"]
    found = case.evaluation(some).metrics(names, ci=None).frame.set_index("metric")["value"]
    rows = _rows(Case(case.name, some, case.roles, case.task), "p", None, labels)
    for name in names:
        oracle = _oracle_of(name, case.task)
        assert oracle is not None
        assert found[name] == pytest.approx(oracle(rows), rel=1e-12)


def test_class_without_rows_is_left_out_of_ovr_and_said() -> None:
    case = CASES["multiclass 3"]
    two = case.frame[case.frame["y"] != "c00"]
    row = case.evaluation(two).metrics("roc_auc_ovr").frame.iloc[0]
    rows = _rows(Case(case.name, two, case.roles, case.task), "p", None, ["c00", "c01", "c02"])
    aucs = [skm.roc_auc_score(rows["true"] == f"c0{i}", rows["scores"][:, i]) for i in (1, 2)]
    assert row["value"] == pytest.approx(np.mean(aucs), rel=1e-12)
    assert "left out" in row["note"]


@pytest.mark.parametrize("weight", [None, "w"])
def test_outcomes_equal_numpy(weight: str | None) -> None:
    case = outcomes()
    kept = case.frame.dropna(subset=["quality"])
    x = kept["quality"].to_numpy()
    w = np.ones(len(x)) if weight is None else kept[weight].to_numpy()
    evaluation = case.evaluation(**({} if weight is None else {"sample_weight": weight}))
    found = evaluation.metrics(["mean", "pass_rate", "fail_rate", "min", "max"], ci=None).frame
    expected = [np.average(v, weights=w) for v in (x, x >= 0.5, x < 0.5)]
    np.testing.assert_allclose(found["value"], [*expected, x.min(), x.max()], rtol=1e-12)
    if weight is None:
        names = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "quantile(q=0.3)": 0.3}
        found = evaluation.metrics([*names, "std"], ci=None).frame["value"]
        np.testing.assert_allclose(found, [*np.quantile(x, list(names.values())), x.std(ddof=1)], rtol=1e-12)
    rate = evaluation.metrics("evaluation_error_rate", ci=None).frame["value"].item()
    everyone = np.ones(len(case.frame)) if weight is None else case.frame[weight]
    assert rate == pytest.approx(np.average(case.frame["quality"].isna(), weights=everyone), rel=1e-12)


def test_log_loss_clips_certain_mistakes_as_scikit_learn() -> None:
    import pandas as pd

    frame = pd.DataFrame({"y": [1, 0, 1, 0, 1], "p": [0.0, 1.0, 1.0, 0.2, 0.5]})
    found = frame.evals(y_true="y", y_score="p").metrics("log_loss", ci=None).frame["value"].item()
    assert found == pytest.approx(skm.log_loss(frame["y"], frame["p"]), rel=1e-12)


ALIASES = {
    "accuracy_score": "accuracy",
    "zero_one_loss": "error_rate",
    "balanced_accuracy_score": "balanced_accuracy",
    "precision_score": "precision",
    "recall_score": "recall",
    "f1_score": "f1",
    "fbeta_score": "fbeta",
    "jaccard_score": "jaccard",
    "matthews_corrcoef": "mcc",
    "cohen_kappa_score": "cohen_kappa",
    "roc_auc_score": "roc_auc",
    "average_precision_score": "average_precision",
    "top_k_accuracy_score": "top_k_accuracy",
    "brier_score_loss": "brier",
    "mean_absolute_error": "mae",
    "mean_squared_error": "mse",
    "root_mean_squared_error": "rmse",
    "mean_squared_log_error": "msle",
    "root_mean_squared_log_error": "rmsle",
    "r2_score": "r2",
    "explained_variance_score": "explained_variance",
    "mean_absolute_percentage_error": "mape",
    "median_absolute_error": "median_ae",
    "mean_pinball_loss": "pinball",
}


@pytest.mark.parametrize("alias", ALIASES)
def test_function_names_of_scikit_learn_are_aliases(alias: str) -> None:
    assert hasattr(skm, alias)
    assert find(alias).metric.name == ALIASES[alias]


NO_SCORER = {  # clustering, and two skill scores that are not offered
    "rand_score", "adjusted_rand_score", "mutual_info_score", "adjusted_mutual_info_score",
    "normalized_mutual_info_score", "homogeneity_score", "completeness_score", "v_measure_score",
    "fowlkes_mallows_score", "d2_absolute_error_score", "d2_log_loss_score",
}  # fmt: skip


@pytest.mark.parametrize(
    "scorer", [s for s in skm.get_scorer_names() if s not in NO_SCORER and not s.endswith("_samples")]
)
def test_scorer_names_of_scikit_learn_are_known(scorer: str) -> None:
    request = find(scorer)
    assert request.negated == scorer.startswith("neg_") or request.better == "higher"


def test_negated_scorer_swaps_value_and_bounds() -> None:
    evaluation = CASES["regression"].evaluation()
    plain = evaluation.metrics("rmse").frame
    negated = evaluation.metrics("neg_root_mean_squared_error").frame
    np.testing.assert_array_equal(negated["value"], -plain["value"])
    np.testing.assert_array_equal(negated["ci_low"], -plain["ci_high"])
    np.testing.assert_array_equal(negated["ci_high"], -plain["ci_low"])


def test_parametric_metric_keeps_the_name_as_asked() -> None:
    evaluation = CASES["binary"].evaluation()
    record = dfevals.metrics.fbeta(beta=2)
    assert evaluation.metrics(record).frame["metric"].unique().tolist() == ["fbeta(beta=2)"]


def test_interval_of_average_precision_mixes_influence_with_the_binomial_variance_of_three_positives() -> None:
    """The influences are the derivatives of scikit-learn's weighted value by the weights of the rows."""
    from scipy.stats import t

    rng = np.random.default_rng(8)
    y = np.r_[np.ones(9, int), np.zeros(31, int)]
    p = rng.permutation(400)[:40] / 500 + 0.12 * y
    step = 1e-5

    def value(w: np.ndarray) -> float:
        return float(skm.average_precision_score(y, p, sample_weight=w))

    slope = np.array([(value(1 + step * row) - value(1 - step * row)) / (2 * step) for row in np.eye(40)])
    n, ap = 9, value(np.ones(40))
    own = (slope**2).sum() * n / (n - 1)
    spread = np.sqrt((n * own + 3 * ap * (1 - ap) / n) / (n + 3)) / (ap * (1 - ap))
    ends = 1 / (1 + np.exp(-(np.log(ap / (1 - ap)) + t.ppf([0.025, 0.975], n - 1) * spread)))
    row = pd.DataFrame({"y": y, "p": p}).evals(y_true="y", y_score="p").metrics("average_precision").frame.iloc[0]
    np.testing.assert_allclose(row[["value", "ci_low", "ci_high"]].astype(float), [ap, *ends], rtol=1e-6)
