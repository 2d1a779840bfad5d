"""Metrics of the order that a score gives the rows."""

from __future__ import annotations

from functools import partial

from dfevals.metrics.estimands import Rank, Through
from dfevals.metrics.registry import metric
from dfevals.needs import Scores
from dfevals.tally import RankSums

rank_metric = partial(metric, needs=Scores, family="ranking", averages=True, requires=("score",))
DELONG = "DeLong on the logit; in small samples its envelope with Newcombe 2006, method 5"


@rank_metric(
    range=(0.0, 1.0),
    tasks=("binary",),
    aliases=("auc", "roc_auc_score", "concordance", "c_index"),
    interval=DELONG,
    formula="(concordant + tied / 2) / pairs",
    oracle="sklearn.metrics.roc_auc_score",
    reference="Hanley and McNeil 1982; DeLong, DeLong and Clarke-Pearson 1988",
)
def roc_auc(sums: RankSums) -> Rank:
    """Probability that a random positive scores higher than a random negative (ties count half)."""
    return Rank("roc_auc", sums)


@rank_metric(
    range=(0.0, 1.0),
    tasks=("multiclass",),
    aliases=("roc_auc_ovr_macro",),
    interval="mean of the class intervals (conservative)",
    formula="mean over classes of one-against-rest AUC",
    oracle="sklearn.metrics.roc_auc_score",
    reference="Provost and Domingos 2001",
)
def roc_auc_ovr(sums: RankSums) -> Rank:
    """AUC of every class against the rest, averaged over the classes."""
    return Rank("roc_auc", sums)


@rank_metric(
    range=(0.0, 1.0),
    tasks=("multiclass",),
    interval="mean of the pair intervals (conservative)",
    formula="mean over pairs of classes of the two AUCs",
    oracle="sklearn.metrics.roc_auc_score",
    reference="Hand and Till 2001",
    averages=False,
    pairs="equal",
)
def roc_auc_ovo(sums: RankSums) -> Rank:
    """AUC of every pair of classes, averaged over the pairs."""
    return Rank("roc_auc", sums)


@rank_metric(
    range=(0.0, 1.0),
    tasks=("multiclass",),
    interval="mean of the pair intervals (conservative)",
    formula="mean over pairs of classes, weighted by prevalence",
    oracle="sklearn.metrics.roc_auc_score",
    reference="Hand and Till 2001",
    averages=False,
    pairs="prevalence",
)
def roc_auc_ovo_weighted(sums: RankSums) -> Rank:
    """AUC of every pair of classes, averaged with the prevalence of the pair."""
    return Rank("roc_auc", sums)


@rank_metric(
    range=(0.0, 1.0),
    aliases=("ap", "average_precision_score", "auprc"),
    interval="sum of squared influences of the rows, on the logit",
    formula="Σ (recall_i − recall_{i−1}) precision_i",
    oracle="sklearn.metrics.average_precision_score",
    reference="Boyd, Eng and Page 2013",
    tasks=("binary", "multiclass"),
)
def average_precision(sums: RankSums) -> Rank:
    """Area under the precision-recall curve, as a step function.

    Nominal 95 % covers .92 to .98 from five positives on; below ten positives the interval tends to be too wide.
    """
    return Rank("average_precision", sums)


@rank_metric(
    range=(-1.0, 1.0),
    aliases=("accuracy_ratio",),
    interval="from the interval of the AUC",
    formula="2 AUC − 1",
    reference="Engelmann, Hayden and Tasche 2003",
    tasks=("binary", "multiclass"),
)
def gini(sums: RankSums) -> Through:
    """Gini coefficient of the score, the accuracy ratio of the CAP curve."""
    return Rank("roc_auc", sums).through(lambda auc: 2 * auc - 1)


@rank_metric(
    range=(0.0, 1.0),
    aliases=("ks_statistic",),
    interval="difference of two Wilson intervals at the greatest gap, less the excess of the search",
    formula="max |F_negative − F_positive|",
    oracle="scipy.stats.ks_2samp",
    reference="Kolmogorov 1933; Smirnov 1939",
    tasks=("binary", "multiclass"),
)
def ks(sums: RankSums) -> Rank:
    """Greatest distance between the score distributions of positives and negatives.

    The greatest gap of a sample exceeds that of its population; the interval allows for that, the value does not.
    """
    return Rank("ks", sums)


@rank_metric(
    range=(0.0, 1.0),
    aliases=("concordant_share",),
    interval="DeLong's variance of the share, on the logit",
    formula="concordant / pairs",
    reference="Goodman and Kruskal 1954",
    tasks=("binary", "multiclass"),
)
def concordant(sums: RankSums) -> Rank:
    """Share of positive-negative pairs in which the positive scores higher."""
    return Rank("concordant", sums)


@rank_metric(
    range=(0.0, 1.0),
    better="lower",
    aliases=("discordant_share",),
    interval="DeLong's variance of the share, on the logit",
    formula="discordant / pairs",
    reference="Goodman and Kruskal 1954",
    tasks=("binary", "multiclass"),
)
def discordant(sums: RankSums) -> Rank:
    """Share of positive-negative pairs in which the negative scores higher."""
    return Rank("discordant", sums)


@rank_metric(
    range=(0.0, 1.0),
    better="none",
    aliases=("tied_share",),
    interval="none",
    formula="tied / pairs",
    reference="Goodman and Kruskal 1954",
    tasks=("binary", "multiclass"),
)
def tied(sums: RankSums) -> Rank:
    """Share of positive-negative pairs with equal scores."""
    return Rank("tied", sums)


@rank_metric(
    range=(-1.0, 1.0),
    interval="from the interval of the AUC",
    formula="(concordant − discordant) / pairs",
    oracle="scipy.stats.somersd",
    reference="Somers 1962",
    tasks=("binary", "multiclass"),
)
def somers_d(sums: RankSums) -> Through:
    """Concordant less discordant pairs, as a share of the positive-negative pairs."""
    return Rank("roc_auc", sums).through(lambda auc: 2 * auc - 1)
