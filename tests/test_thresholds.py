"""From score to decision: the table, best thresholds against brute force, optimism, policies, budgets, net benefit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn import metrics

import dfevals
from dfevals.analyses.errors import ErrorsResult
from dfevals.analyses.thresholds.best_threshold import FOLDS, Candidates
from dfevals.analyses.thresholds.costs import Costs
from dfevals.analyses.thresholds.objectives import Objective
from dfevals.exceptions import DataError, MetricError, RoleError


def frame_of(n: int = 300, *, ties: bool = False, seed: int = 3, base: float = 0.3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = rng.random(n) < base
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + 1.4 * y - 1)))
    return pd.DataFrame(
        {
            "y": y.astype(int),
            "s": np.round(score, 1) if ties else score,
            "g": rng.choice(["a", "b", "c"], n),
            "w": rng.integers(1, 4, n),
            "amount": rng.gamma(2, 30, n),
        }
    )


def evaluation(frame: pd.DataFrame, **more: Any) -> Any:
    return frame.evals(y_true="y", y_score="s", pos_label=1, **more)


def cost_of(df: pd.DataFrame, threshold: float, cost: Any) -> float:
    """Mean cost per row by plain counting."""
    said = df["s"] >= threshold
    total = 0.0
    for outcome, rows in {
        "tp": said & (df["y"] == 1),
        "fp": said & (df["y"] == 0),
        "fn": ~said & (df["y"] == 1),
        "tn": ~said & (df["y"] == 0),
    }.items():
        amount = cost.get(outcome, 0)
        total += df.loc[rows, amount].sum() if isinstance(amount, str) else amount * rows.sum()
    return total / len(df)


COSTS = [{"fp": 1, "fn": 5}, {"tp": -10, "fp": 2}, {"fn": "amount", "fp": 20}, {"fn": "amount", "tp": -3, "fp": "w"}]


@pytest.mark.parametrize("weighted", [False, True])
def test_table_is_scikit_learns_at_every_threshold(weighted: bool) -> None:
    df = frame_of(ties=True)
    frame = (
        evaluation(df, **({"sample_weight": "w"} if weighted else {}))
        .thresholds(by="g", thresholds=[0.0, 0.2, 0.35, 0.5, 0.9], n_resamples=0)
        .frame
    )
    assert len(frame) == 5 * 4
    for _, row in frame.iterrows():
        rows = df if row["is_overall"] else df[df["g"] == row["g"]]
        said, weight = rows["s"] >= row["threshold"], rows["w"] if weighted else None
        tn, fp, fn, tp = metrics.confusion_matrix(rows["y"], said, sample_weight=weight, labels=[0, 1]).ravel()
        assert [row[name] for name in ("tn", "fp", "fn", "tp")] == pytest.approx([tn, fp, fn, tp])
        assert row["recall"] == pytest.approx(metrics.recall_score(rows["y"], said, sample_weight=weight))
        assert row["accuracy"] == pytest.approx(metrics.accuracy_score(rows["y"], said, sample_weight=weight))
        if said.any():
            assert row["precision"] == pytest.approx(metrics.precision_score(rows["y"], said, sample_weight=weight))
        else:
            assert np.isnan(row["precision"])
        assert row["cost"] == pytest.approx(1 - row["accuracy"])


@pytest.mark.parametrize("cost", COSTS)
def test_cost_is_that_of_the_rows(cost: dict[str, Any]) -> None:
    df = frame_of()
    result = evaluation(df).thresholds(by="g", cost=cost, n_resamples=0)
    for _, row in result.frame.iloc[::97].iterrows():
        rows = df if row["is_overall"] else df[df["g"] == row["g"]]
        assert row["cost"] == pytest.approx(cost_of(rows, row["threshold"], cost), abs=1e-9)


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("ties", [False, True])
def test_best_threshold_is_found_by_brute_force(cost: dict[str, Any], ties: bool) -> None:
    df = frame_of(ties=ties)
    best = evaluation(df).thresholds(by="g", cost=cost).best
    for _, row in best.iterrows():
        rows = df if row["is_overall"] else df[df["g"] == row["g"]]
        every = {t: cost_of(rows, t, cost) for t in [np.inf, *np.unique(rows["s"])]}
        assert row["value"] == pytest.approx(min(every.values()))
        assert every[row["threshold"]] == pytest.approx(row["value"])
        assert row["threshold_low"] <= row["threshold_high"]
        assert row["corrected"] >= row["value"]  # what is seen is better than what will be
        assert row["value_now"] == pytest.approx(cost_of(rows, 0.5, cost))
    shared = best["threshold"].iloc[0]
    rows = df[df["g"] == "b"]
    assert best.loc[best["g"] == "b", "value_shared"].item() == pytest.approx(cost_of(rows, shared, cost))


@pytest.mark.parametrize(
    ("objective", "score"),
    [("f1", metrics.f1_score), ("mcc", metrics.matthews_corrcoef), ("accuracy", metrics.accuracy_score)],
)
def test_best_for_a_metric(objective: str, score: Any) -> None:
    df = frame_of(250)
    row = evaluation(df).thresholds(objective=objective).best.iloc[0]
    best = max(score(df["y"], df["s"] >= t) for t in np.unique(df["s"]))
    assert row["value"] == pytest.approx(best)
    assert row["optimism"] > 0
    assert row["corrected"] == pytest.approx(row["value"] - row["optimism"])


def test_youden_is_the_default_and_is_ks() -> None:
    df = frame_of()
    ev = evaluation(df)
    assert ev.thresholds(n_resamples=0).best["value"].item() == pytest.approx(ev.gains().summary["ks"].item())


def test_a_metric_that_is_better_lower() -> None:
    df = frame_of(200)
    row = evaluation(df).thresholds(objective="error_rate", n_resamples=0).best.iloc[0]
    assert row["value"] == pytest.approx(min((df["y"] != (df["s"] >= t)).mean() for t in [np.inf, *df["s"]]))


def test_limits() -> None:
    df = frame_of(300)
    ev = evaluation(df)

    def table(threshold: float) -> tuple[float, float, float]:
        said = df["s"] >= threshold
        return (
            metrics.precision_score(df["y"], said, zero_division=np.nan),
            metrics.recall_score(df["y"], said),
            float(said.mean()),
        )

    every = np.array([table(t) for t in np.unique(df["s"])])
    row = ev.thresholds(objective="precision>=0.7").best.iloc[0]
    assert row["value"] == pytest.approx(every[every[:, 0] >= 0.7, 1].max())
    assert row["held"] >= 0.7
    assert row["held_corrected"] < row["held"]
    row = ev.thresholds(objective="recall >= 90%", n_resamples=0).best.iloc[0]
    assert row["value"] == pytest.approx(every[every[:, 1] >= 0.9, 0].max())
    row = ev.thresholds(objective="budget<=0.2", n_resamples=0).best.iloc[0]
    assert row["value"] == pytest.approx(every[every[:, 2] <= 0.2, 1].max())
    row = ev.thresholds(objective="mcc>=1", n_resamples=0).best.iloc[0]
    assert np.isnan(row["threshold"])
    assert row["note"] == "no threshold reaches mcc>=1"


def test_a_function_of_counts() -> None:
    df = frame_of()
    ev = evaluation(df)
    same = ev.thresholds(cost={"fp": 1, "fn": 5}).best
    found = ev.thresholds(cost=lambda tp, fp, fn, tn: fp + 5 * fn).best
    pd.testing.assert_frame_equal(same, found)
    capacity = ev.thresholds(cost=lambda tp, fp, fn, tn: np.where(tp + fp > 50, np.inf, fn), n_resamples=0).best
    assert (df["s"] >= capacity["threshold"].item()).sum() <= 50
    with pytest.raises(MetricError, match=r"failed: ZeroDivisionError"):
        ev.thresholds(cost=lambda tp, fp, fn, tn: 1 / 0)
    with pytest.raises(MetricError, match="shape"):
        ev.thresholds(cost=lambda tp, fp, fn, tn: np.ones(3))


def test_a_column_of_amounts_is_lost_by_errors() -> None:
    df = frame_of()
    ev = evaluation(df)
    one = ev.thresholds(cost="amount", n_resamples=0).frame
    other = ev.thresholds(cost={"fp": "amount", "fn": "amount"}, n_resamples=0).frame
    pd.testing.assert_frame_equal(one, other)


def test_costs_that_never_make_acting_worthwhile() -> None:
    df = frame_of()
    row = evaluation(df).thresholds(cost={"fp": 1000, "fn": 0.001}).best.iloc[0]
    assert row["threshold"] == np.inf or (df.loc[df["s"] >= row["threshold"], "y"] == 1).all()
    flat = evaluation(df.assign(s=0.4)).thresholds(cost={"fp": 10, "fn": 1})
    assert flat.best["threshold"].item() == np.inf
    assert "acting never pays" in flat.best["note"].item()
    everyone = evaluation(df).thresholds(cost={"fn": 1}).best.iloc[0]
    assert everyone["value"] == 0


def test_interval_of_the_best_threshold_covers_the_true_one() -> None:
    """Scores are true probabilities, so that cost 1 against 3 is least at a quarter."""
    hits, corrected, seen, truth = 0, [], [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        s = rng.random(600)
        df = pd.DataFrame({"s": s, "y": (rng.random(600) < s).astype(int)})
        row = evaluation(df).thresholds(cost={"fp": 1, "fn": 3}, n_resamples=150, random_state=seed).best.iloc[0]
        hits += row["threshold_low"] <= 0.25 <= row["threshold_high"]
        corrected.append(row["corrected"])
        seen.append(row["value"])
        chosen = row["threshold"]
        assert 0 < chosen < 0.6
        truth.append(3 * chosen**2 / 2 + (1 - chosen) ** 2 / 2)  # of the threshold chosen
    assert hits / 60 >= 0.85
    assert np.mean(seen) < np.mean(truth)
    assert np.mean(corrected) == pytest.approx(np.mean(truth), abs=0.009)
    assert np.mean(corrected) > np.mean(seen)


def test_policies_add_up_the_cohorts() -> None:
    df = frame_of(ties=True)
    cost = {"fp": 1, "fn": 4}
    result = evaluation(df).thresholds(by="g", cost=cost)
    one, own = result.policies["value"]
    best = result.best.iloc[1:]
    share = df["g"].value_counts(normalize=True).reindex(best["g"]).to_numpy()
    assert one == pytest.approx(result.best["value"].iloc[0])
    assert own == pytest.approx((best["value"].to_numpy() * share).sum())
    row = result.policies.iloc[1]
    assert row["gain"] == pytest.approx(one - own)
    assert row["gain_corrected"] < row["gain"]
    assert row["gain_low"] <= row["gain_high"]
    with pytest.raises(MetricError, match="do not overlap"):
        _ = evaluation(df).thresholds().policies


def test_on_noise_one_threshold_per_cohort_brings_nothing() -> None:
    """Cohorts that do not differ: the corrected gain is not above nothing on average."""
    gains = []
    for seed in range(25):
        df = frame_of(400, seed=seed)
        gains.append(evaluation(df).thresholds(by="g", cost={"fp": 1, "fn": 2}, n_resamples=60).policies.iloc[1])
    assert np.mean([row["gain"] for row in gains]) > 0
    assert np.mean([row["gain_corrected"] for row in gains]) < 0.004


def test_budget_is_the_gains_table() -> None:
    df = frame_of(ties=True)
    ev = evaluation(df)
    budget = ev.thresholds(budget=[0.1, 0.5], cost={"fp": 1}, n_resamples=0).budget
    table = ev.gains(quantiles=[0.1, 0.5]).frame
    np.testing.assert_allclose(budget["recall"], table["gain"].iloc[:2])
    np.testing.assert_allclose(budget["lift"], table["cum_lift"].iloc[:2])
    np.testing.assert_allclose(budget["cost"], (budget["selected"] - budget["tp"]) / len(df))
    with pytest.raises(MetricError, match="budget"):
        ev.thresholds(budget=[2])


def test_net_benefit_is_vickers_and_elkins() -> None:
    df = frame_of()
    frame = evaluation(df).thresholds(n_resamples=0).net_benefit.set_index("threshold")
    for p in (0.1, 0.33, 0.8):
        said = df["s"] >= p
        tp, fp = (said & (df["y"] == 1)).mean(), (said & (df["y"] == 0)).mean()
        row = frame.loc[p]
        assert row["net_benefit"] == pytest.approx(tp - fp * p / (1 - p))
        assert row["treat_all"] == pytest.approx(df["y"].mean() - (1 - df["y"].mean()) * p / (1 - p))
        each = (said & (df["y"] == 1)) - (said & (df["y"] == 0)) * p / (1 - p)
        half = 1.96 * each.std(ddof=0) / np.sqrt(len(df))
        assert row["ci_high"] - row["ci_low"] == pytest.approx(2 * half, rel=0.2)  # the normal law, for many rows
    with pytest.raises(MetricError, match="no probabilities"):
        _ = evaluation(df.assign(s=df["s"] * 10)).thresholds(n_resamples=0).net_benefit


def test_intervals_of_net_benefit_cover_rare_outcomes() -> None:
    rng = np.random.default_rng(8)
    score = rng.beta(0.4, 19.6, 250 * 1000)
    df = pd.DataFrame({"g": np.repeat(range(250), 1000), "s": score, "y": (rng.random(len(score)) < score).astype(int)})
    found = df.evals(y_true="y", y_score="s", pos_label=1).thresholds(by="g", n_resamples=0).net_benefit
    every = rng.beta(0.4, 19.6, 2_000_000)
    for p in (0.1, 0.3, 0.5):
        odds = p / (1 - p)
        truth = np.where(every >= p, every - (1 - every) * odds, 0).mean()
        part = found[(found["threshold"] == p) & ~found["is_overall"]]
        assert (
            part["ci_low"].le(truth).mul(part["ci_high"].ge(truth)).mean() > 0.92
        )  # by the normal law .12 at one half
        assert (part["ci_low"] < part["ci_high"]).all()


def test_scores_that_are_no_probabilities_have_thresholds_too() -> None:
    df = frame_of().assign(s=lambda d: 100 * d["s"] - 200)
    row = evaluation(df).thresholds(objective="f1", n_resamples=0).best.iloc[0]
    assert row["value"] == pytest.approx(max(metrics.f1_score(df["y"], df["s"] >= t) for t in df["s"]))


def test_cohorts_of_one_class_and_order_of_rows() -> None:
    df = frame_of(200, ties=True)
    df.loc[df.index[:20], ["g", "y"]] = ["none", 0]
    one = evaluation(df).thresholds(by="g", objective="f1")
    assert one.best.loc[one.best["g"] == "none", "note"].item() == "no positives"
    assert one.frame.loc[one.frame["g"] == "none", "recall"].isna().all()
    other = evaluation(df.sample(frac=1, random_state=0)).thresholds(by="g", objective="f1")
    pd.testing.assert_frame_equal(one.frame, other.frame)


def test_many_thresholds_are_cut_to_a_thousand() -> None:
    df = frame_of(5000)
    result = evaluation(df).thresholds(n_resamples=0, by="g")
    assert result.frame.groupby("g").size().max() <= 1001
    assert 0.5 in result.frame["threshold"].to_numpy()
    assert len(evaluation(df).thresholds(thresholds=50, n_resamples=0).frame) <= 50


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"cost": {"false": 1}}, MetricError, "Outcomes"),
        ({"cost": {"fp": "amout"}}, RoleError, "Did you mean 'amount'"),
        ({"cost": {"fp": np.nan}}, MetricError, "must be a number"),
        ({"cost": 3}, MetricError, "is no cost"),
        ({"objective": "f2"}, MetricError, "objective='f2'"),
        ({"objective": "precision=0.9"}, MetricError, "metric>=level"),
        ({"objective": "roc_auc"}, MetricError, "'roc_auc' judges no decisions at a threshold. Take 'cost'"),
        (
            {"objective": "precision>=90"},
            MetricError,
            r"precision lies between 0 and 1\. Did you mean precision>=90%\?",
        ),
        ({"objective": "mcc>=2"}, MetricError, r"mcc lies between -1 and 1\.$"),
        ({"objective": "selection_rate"}, MetricError, "Set a limit"),
        ({"metrics": ["log_loss"]}, MetricError, "not a metric of decisions"),
        ({"thresholds": 1}, MetricError, "at least 2"),
        ({"thresholds": [np.nan]}, MetricError, "list of scores"),
    ],
)
def test_wrong_questions_say_what_to_do(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        evaluation(frame_of(50)).thresholds(**options)


def test_missing_amounts_are_refused() -> None:
    df = frame_of(50)
    df.loc[0, "amount"] = np.nan
    with pytest.raises(DataError, match="missing"):
        evaluation(df).thresholds(cost="amount")


def newsgroups() -> ErrorsResult:
    return dfevals.datasets.load("newsgroups").evals(y_true="label", y_score="p_{label}").errors()


def test_pairs_of_classes_are_ranked() -> None:
    result = newsgroups()
    df = dfevals.datasets.load("newsgroups")
    scores = df.filter(like="p_")
    said = scores.columns[scores.to_numpy().argmax(axis=1)].str.removeprefix("p_")
    wrong = pd.DataFrame({"y": df["label"].astype(str), "p": said})
    wrong = wrong[wrong["y"] != wrong["p"]].groupby(["y", "p"]).size()
    frame = result.frame
    assert frame["count"].sum() == wrong.sum()
    assert frame["count"].is_monotonic_decreasing
    assert frame["share_of_errors"].sum() == pytest.approx(1)
    first = frame.iloc[0]
    assert first["count"] == wrong.max() == wrong[first["y_true"], first["y_pred"]]
    assert first["reverse"] == wrong[first["y_pred"], first["y_true"]]
    assert first["ci_low"] < first["share"] < first["ci_high"]
    assert result.classes.frame["class"].nunique() == 20
    assert len(result.confusion.frame) == 400


def test_no_errors_are_said() -> None:
    df = pd.DataFrame({"y": list("abab"), "p": list("abab"), "g": list("uuvv")})
    frame = df.evals(y_true="y", y_pred="p", pos_label="b").errors(by="g").frame
    assert frame["note"].eq("no errors").all()
    assert frame["count"].eq(0).all()
    with pytest.raises(MetricError, match="residuals"):
        pd.DataFrame({"y": [1.5, 2.5], "p": [1.0, 2.2]}).evals(y_true="y", y_pred="p").errors()


# Optimism by cross-fitting


def test_cross_fitting_by_hand() -> None:
    # every row its own cell: a split of the counts is a split of the rows
    rng = np.random.default_rng(0)
    score, label = np.sort(rng.random(40))[::-1], rng.random(40) < 0.4
    tp, fp = (np.append(0.0, np.cumsum(side)) for side in (label, ~label))
    threshold = np.append(np.inf, score)
    candidates = Candidates(threshold, tp, fp, float(tp[-1]), float(fp[-1]), 1.0)
    aim = Objective.of("cost", Costs.of({"fp": 1, "fn": 2}))

    class Splits:
        """Gives the splits of the positives and of the negatives."""

        def __init__(self) -> None:
            self.fold = rng.integers(0, FOLDS, 40)
            self.sides = iter([label, ~label])

        def multinomial(self, rows: Any, share: Any, size: Any) -> Any:
            out = np.zeros((1, 41, FOLDS), np.int64)
            out[0, np.arange(1, 41), self.fold] = next(self.sides)
            assert (out[0].sum(axis=1) == rows).all()
            return out

    splits = Splits()
    held = candidates.held_out(aim, 1, splits)  # type: ignore[arg-type]
    cost = 0.0
    for fold in range(FOLDS):
        out = splits.fold == fold
        train = [
            ((score[~out] >= t) & ~label[~out]).sum() + 2 * ((score[~out] < t) & label[~out]).sum() for t in threshold
        ]
        t = threshold[int(np.argmin(train))]
        cost += ((score[out] >= t) & ~label[out]).sum() + 2 * ((score[out] < t) & label[out]).sum()
    assert aim.value(held)[0] == pytest.approx(cost / 40)


@pytest.mark.parametrize("objective", ["youden", "f1"])
def test_the_interval_of_a_corrected_value_covers_what_other_rows_give(objective: str) -> None:
    from scipy.stats import norm

    rng, left, seen, covered = np.random.default_rng(12), [], [], []
    for seed in range(80):
        y = (rng.random(150) < 0.3).astype(int)
        ev = pd.DataFrame({"y": y, "s": rng.normal(size=150) + y}).evals(y_true="y", y_score="s", score_kind="margin")
        found = ev.thresholds(objective=objective, n_resamples=100, thresholds=3, random_state=seed).best.iloc[0]
        recall, fpr = norm.sf(found["threshold"] - 1), norm.sf(found["threshold"])
        truth = recall - fpr if objective == "youden" else 0.6 * recall / (0.3 * recall + 0.7 * fpr + 0.3)
        left.append(found["corrected"] - truth)
        seen.append(found["value"] - truth)
        covered.append(found["ci_low"] <= truth <= found["ci_high"])
    assert abs(np.mean(left)) < 0.3 * np.mean(seen)  # two standard errors are a fifth
    assert np.mean(covered) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 80)


@pytest.mark.parametrize("optimism", ["bootstrap", "cross-fit"])
def test_corrected_values_are_what_other_rows_give(optimism: str) -> None:
    rng = np.random.default_rng(1)
    errors, naive = [], []
    for seed in range(60):
        y = rng.random(150) < 0.4
        df = pd.DataFrame({"y": y * 1, "p": expit(rng.normal(0.4 * y, 1))})
        best = (
            df.evals(y_true="y", y_score="p")
            .thresholds(objective="youden", n_resamples=100, random_state=seed, optimism=optimism)
            .best.iloc[0]
        )
        t = logit(best["threshold"])
        truth = norm.sf(t - 0.4) - norm.sf(t)
        errors.append(best["corrected"] - truth)
        naive.append(best["value"] - truth)
    assert np.mean(naive) > 0.05
    assert abs(np.mean(errors)) < 0.025 + 2 * np.std(errors) / np.sqrt(60)


def test_cross_fitted_policies_lose_the_gain_that_noise_gave() -> None:
    rng = np.random.default_rng(2)
    df = pd.DataFrame({"p": rng.random(2000), "g": rng.integers(0, 20, 2000)})
    df["y"] = (rng.random(2000) < df["p"]) * 1
    result = df.evals(y_true="y", y_score="p").thresholds(
        by="g", cost={"fp": 1, "fn": 1}, n_resamples=50, optimism="cross-fit"
    )
    own = result.policies.iloc[1]
    assert own["gain"] > 0.02
    assert own["gain_corrected"] < 0.01
    assert any("10 folds, 5 times" in note for note in result.notes)


def test_cross_fitting_is_refused_for_amounts_and_unknown_ways() -> None:
    df = pd.DataFrame({"y": [0, 1] * 20, "p": np.linspace(0, 1, 40), "loss": 2.0})
    ev = df.evals(y_true="y", y_score="p")
    with pytest.raises(MetricError, match="differs from row to row"):
        ev.thresholds(cost="loss", optimism="cross-fit")
    with pytest.raises(MetricError, match="optimism"):
        ev.thresholds(optimism="jackknife")


@pytest.mark.parametrize("mean", [0, 1, 7, 40, 255])
def test_tabled_poisson_counts_have_the_distribution(mean: int) -> None:
    from scipy import stats

    from dfevals.analyses.thresholds.best_threshold import LEVELS, _quantiles, poisson

    levels = (np.arange(LEVELS) + 0.5) / LEVELS
    assert np.abs(stats.poisson.cdf(_quantiles(mean), mean) - levels).min() < 1 / LEVELS
    expected = stats.poisson.ppf(levels, mean)
    assert (_quantiles(mean) == expected).mean() > 0.999
    assert np.abs(_quantiles(mean) - expected).max() <= 1
    drawn = poisson(np.full(200, float(mean)), 500, np.random.default_rng(0))
    assert drawn.mean() == pytest.approx(mean, abs=0.02 * np.sqrt(mean))
    assert drawn.var() == pytest.approx(mean, rel=0.03)


def test_poisson_counts_of_fractions_and_many_means_are_drawn_one_by_one() -> None:
    from dfevals.analyses.thresholds.best_threshold import poisson

    for means in (np.array([0.5, 2.25]), np.arange(300.0), np.array([4000.0])):
        expected = np.random.default_rng(3).poisson(means, (5, len(means)))
        assert (poisson(means, 5, np.random.default_rng(3)) == expected).all()
