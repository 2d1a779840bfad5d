"""Metrics of the confusion cells. One function serves binary, per-class and micro views alike."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from dfevals.metrics.estimands import ClassSums, MeanOfRatios, Ratio, Smooth, Through, divide
from dfevals.metrics.parameters import check_number
from dfevals.metrics.registry import metric
from dfevals.needs import Cells
from dfevals.tally import CellView

cells_metric = partial(metric, needs=Cells, family="classification", requires=("pred",))
share = partial(cells_metric, range=(0.0, 1.0), averages=True, interval="Wilson")
WILSON = "Wilson 1927"


@cells_metric(
    range=(0.0, 1.0),
    interval="Wilson",
    aliases=("accuracy_score",),
    whole=True,
    formula="(tp + tn) / n",
    oracle="sklearn.metrics.accuracy_score",
    reference=WILSON,
)
def accuracy(cells: CellView) -> Ratio:
    """Share of the rows that are predicted right."""
    return Ratio(cells.correct, cells.n, "no rows")


@cells_metric(
    range=(0.0, 1.0),
    better="lower",
    interval="Wilson",
    aliases=("zero_one_loss", "hamming_loss"),
    whole=True,
    formula="(fp + fn) / n",
    oracle="sklearn.metrics.zero_one_loss",
    reference=WILSON,
)
def error_rate(cells: CellView) -> Ratio:
    """Share of the rows that are predicted wrong."""
    return Ratio(cells.n - cells.correct, cells.n, "no rows")


@cells_metric(
    range=(0.0, 1.0),
    interval="MOVER of Wilson over class recalls",
    aliases=("balanced_accuracy_score",),
    whole=True,
    formula="mean over classes of recall",
    oracle="sklearn.metrics.balanced_accuracy_score",
    reference="Brodersen et al. 2010; MOVER: Zou and Donner 2008",
)
def balanced_accuracy(cells: CellView) -> MeanOfRatios:
    """Mean over the classes that occur of their recall."""
    return MeanOfRatios(cells.diagonal, cells.true_totals, "no rows")


@share(
    aliases=("ppv", "precision_score"),
    formula="tp / (tp + fp)",
    oracle="sklearn.metrics.precision_score",
    reference="van Rijsbergen 1979",
)
def precision(cells: CellView) -> Ratio:
    """Share of the rows predicted positive that are positive."""
    return Ratio(cells.tp, cells.tp + cells.fp, "no predicted positives")


@share(
    aliases=("tpr", "sensitivity", "recall_score", "true_positive_rate", "hit_rate"),
    formula="tp / (tp + fn)",
    oracle="sklearn.metrics.recall_score",
    reference="van Rijsbergen 1979",
)
def recall(cells: CellView) -> Ratio:
    """Share of the positive rows that are predicted positive."""
    return Ratio(cells.tp, cells.tp + cells.fn, "no positives")


@share(aliases=("tnr", "selectivity", "true_negative_rate"), formula="tn / (tn + fp)", reference="Yerushalmy 1947")
def specificity(cells: CellView) -> Ratio:
    """Share of the negative rows that are predicted negative."""
    return Ratio(cells.tn, cells.tn + cells.fp, "no negatives")


@share(aliases=("negative_predictive_value",), formula="tn / (tn + fn)", reference="Altman and Bland 1994")
def npv(cells: CellView) -> Ratio:
    """Share of the rows predicted negative that are negative."""
    return Ratio(cells.tn, cells.tn + cells.fn, "no predicted negatives")


@share(better="lower", aliases=("false_positive_rate", "fall_out"), formula="fp / (fp + tn)", reference="Fawcett 2006")
def fpr(cells: CellView) -> Ratio:
    """Share of the negative rows that are predicted positive."""
    return Ratio(cells.fp, cells.fp + cells.tn, "no negatives")


@share(better="lower", aliases=("false_negative_rate", "miss_rate"), formula="fn / (fn + tp)", reference="Fawcett 2006")
def fnr(cells: CellView) -> Ratio:
    """Share of the positive rows that are predicted negative."""
    return Ratio(cells.fn, cells.fn + cells.tp, "no positives")


@share(
    better="lower", aliases=("false_discovery_rate",), formula="fp / (fp + tp)", reference="Benjamini and Hochberg 1995"
)
def fdr(cells: CellView) -> Ratio:
    """Share of the rows predicted positive that are negative."""
    return Ratio(cells.fp, cells.fp + cells.tp, "no predicted positives")


@share(
    aliases=("iou", "jaccard_score", "threat_score"),
    formula="tp / (tp + fp + fn)",
    oracle="sklearn.metrics.jaccard_score",
    reference="Jaccard 1901",
)
def jaccard(cells: CellView) -> Ratio:
    """Share of the rows positive by label or prediction that are positive by both."""
    return Ratio(cells.tp, cells.tp + cells.fp + cells.fn, "no positives and no predicted positives")


@share(
    better="none",
    aliases=("positive_rate", "predicted_positive_rate"),
    formula="(tp + fp) / n",
    reference="Barocas, Hardt and Narayanan 2023",
)
def selection_rate(cells: CellView) -> Ratio:
    """Share of the rows that are predicted positive."""
    return Ratio(cells.tp + cells.fp, cells.tp + cells.fp + cells.tn + cells.fn, "no rows")


@share(better="none", aliases=("prevalence",), formula="(tp + fn) / n", reference="Rothman 2012")
def base_rate(cells: CellView) -> Ratio:
    """Share of the rows that are positive."""
    return Ratio(cells.tp + cells.fn, cells.tp + cells.fp + cells.tn + cells.fn, "no rows")


@cells_metric(
    range=(0.0, 1.0),
    averages=True,
    aliases=("f1_score", "dice"),
    interval="Wilson on the Jaccard index",
    formula="2 tp / (2 tp + fp + fn)",
    oracle="sklearn.metrics.f1_score",
    reference="Dice 1945; van Rijsbergen 1979",
)
def f1(cells: CellView) -> Through:
    """Harmonic mean of precision and recall."""
    return jaccard(cells).through(lambda j: 2 * j / (1 + j))


@cells_metric(
    range=(0.0, 1.0),
    averages=True,
    aliases=("fbeta_score",),
    parameters={"beta": 2.0},
    interval="delta method on the logit",
    formula="(1 + β²) tp / ((1 + β²) tp + β² fn + fp)",
    oracle="sklearn.metrics.fbeta_score",
    reference="van Rijsbergen 1979",
)
def fbeta(cells: CellView, beta: float = 2.0) -> Smooth:
    """Harmonic mean of precision and recall, recall weighted `beta` times."""
    check_number("fbeta", "beta", beta, 0)
    b2 = beta * beta
    den = (1 + b2) * cells.tp + b2 * cells.fn + cells.fp
    wrong = cells.fn + cells.fp
    return Smooth(
        divide((1 + b2) * cells.tp, den),
        cells.tp + wrong,
        "no positives and no predicted positives",
        np.minimum(cells.tp.real, wrong.real),
    )


@cells_metric(
    range=(-1.0, 1.0),
    whole=True,
    aliases=("matthews_corrcoef", "phi"),
    interval="delta method on Fisher's z",
    formula="(c n − Σ t p) / √((n² − Σ p²)(n² − Σ t²))",
    oracle="sklearn.metrics.matthews_corrcoef",
    reference="Matthews 1975; Gorodkin 2004",
)
def mcc(cells: CellView) -> Smooth:
    """Correlation of labels and predictions; 0 where either has one class only, as scikit-learn has it."""
    return MATTHEWS.smooth(cells, "no rows")


def _matthews(n: Any, correct: Any, both: Any, true_square: Any, pred_square: Any) -> Any:
    product = (n * n - pred_square) * (n * n - true_square)
    value = divide(correct * n - both, np.sqrt(product))
    return np.where((product == 0) & (n != 0), 0.0 * n, value)


MATTHEWS = ClassSums(
    lambda right, true, pred: (true, right, true * pred, true * true, pred * pred),
    _matthews,
)


def _kappa(cells: CellView, power: int) -> Smooth:
    expected = divide(_by_chance(cells.true_totals, cells.pred_totals, power), cells.n)
    reason = "labels and predictions are all of one class"
    return Smooth(1 - divide(cells.distance(power), expected), cells.n, reason)


def _by_chance(true: Any, pred: Any, power: int) -> Any:
    """Σ |i − j|^power · true_i · pred_j over i ≠ j, from running sums: differences of totals would lose digits."""
    total = 0.0
    for first, second in ((true, pred), (pred, true)):
        below = np.cumsum(first, axis=0)[:-1]
        if power == 0:
            total = total + (below * second[1:]).sum(axis=0)
            continue
        above = np.cumsum(second[::-1], axis=0)[::-1][1:]
        # a pair counts once at every step between its classes; squares are sums of odd numbers
        total = total + ((below if power == 1 else 2 * np.cumsum(below, axis=0) - below) * above).sum(axis=0)
    return total


kappa = partial(
    cells_metric,
    range=(-1.0, 1.0),
    whole=True,
    interval="delta method on Fisher's z",
    oracle="sklearn.metrics.cohen_kappa_score",
)


@kappa(
    aliases=("cohen_kappa_score", "kappa"), formula="1 − Σ w o / Σ w e, w = 1 off the diagonal", reference="Cohen 1960"
)
def cohen_kappa(cells: CellView) -> Smooth:
    """Agreement of labels and predictions beyond chance."""
    return _kappa(cells, 0)


@kappa(formula="1 − Σ w o / Σ w e, w = |i − j|", reference="Cohen 1968", requires=("pred", "order"))
def cohen_kappa_linear(cells: CellView) -> Smooth:
    """Agreement beyond chance for ordered classes, disagreement weighted by distance."""
    return _kappa(cells, 1)


@kappa(aliases=("qwk",), formula="1 − Σ w o / Σ w e, w = (i − j)²", reference="Cohen 1968", requires=("pred", "order"))
def cohen_kappa_quadratic(cells: CellView) -> Smooth:
    """Agreement beyond chance for ordered classes, disagreement weighted by squared distance."""
    return _kappa(cells, 2)


@cells_metric(
    range=(0.0, 1.0),
    averages=False,
    whole=True,
    aliases=("geometric_mean",),
    interval="delta method on the logit",
    formula="(Π recall)^(1/K)",
    reference="Kubat and Matwin 1997",
    oracle="imblearn.metrics.geometric_mean_score",
)
def g_mean(cells: CellView) -> Smooth:
    """Geometric mean of the recalls of all classes (binary: of recall and specificity)."""
    diagonal, totals = cells.diagonal, cells.true_totals
    recalls = divide(diagonal, totals)
    used = totals != 0
    count = used.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(used, np.log(np.where(used & (recalls != 0), recalls, 1)), 0).sum(axis=0) / np.maximum(count, 1)
    value = np.where((used & (recalls == 0)).any(axis=0), 0.0, np.exp(logs))
    needed = 2 if len(totals) == 2 else 1
    return Smooth(np.where(count >= needed, value, np.nan), cells.n, "only one class")


@cells_metric(
    range=(-1.0, 1.0),
    averages=True,
    aliases=("informedness", "youden", "bookmaker_informedness"),
    interval="Newcombe hybrid of recall and false positive rate",
    formula="recall + specificity − 1",
    reference="Youden 1950",
)
def youden_j(cells: CellView) -> Any:
    """Recall plus specificity less one: how much better than chance, whatever the prevalence."""
    pair = MeanOfRatios(
        np.stack([cells.tp, cells.tn]), np.stack([cells.tp + cells.fn, cells.tn + cells.fp]), "only one class"
    )
    both = (pair.den != 0).all(axis=0)
    known = pair
    if not both.all():
        known = MeanOfRatios(np.where(both, pair.num, 0), np.where(both, pair.den, 0), "only one class")
    return Through(known, lambda mean: 2 * mean - 1)


@cells_metric(
    range=(0.0, np.inf),
    averages=True,
    aliases=("positive_likelihood_ratio",),
    interval="delta method on the log",
    formula="recall / false positive rate",
    oracle="sklearn.metrics.class_likelihood_ratios",
    reference="Simel, Samsa and Matchar 1991",
)
def lr_plus(cells: CellView) -> Smooth:
    """How many times likelier a positive prediction is in positives than in negatives."""
    value = divide(cells.tp * (cells.fp + cells.tn), cells.fp * (cells.tp + cells.fn))
    events = np.minimum(cells.tp.real, cells.fp.real)
    return Smooth(value, cells.tp + cells.fp + cells.fn + cells.tn, "no false positives, or no positives", events)


@cells_metric(
    range=(0.0, np.inf),
    better="lower",
    averages=True,
    aliases=("negative_likelihood_ratio",),
    interval="delta method on the log",
    formula="false negative rate / specificity",
    oracle="sklearn.metrics.class_likelihood_ratios",
    reference="Simel, Samsa and Matchar 1991",
)
def lr_minus(cells: CellView) -> Smooth:
    """How many times likelier a negative prediction is in positives than in negatives."""
    value = divide(cells.fn * (cells.fp + cells.tn), cells.tn * (cells.tp + cells.fn))
    events = np.minimum(cells.fn.real, cells.tn.real)
    return Smooth(value, cells.tp + cells.fp + cells.fn + cells.tn, "no true negatives, or no positives", events)
