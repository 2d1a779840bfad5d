"""The gains table: published tables, ties split in proportion, weights, intervals, KS and profit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import dfevals  # noqa: F401  (registers df.evals)
from dfevals.analyses.gains.gain_bounds import lift_bounds
from dfevals.analyses.scores.score_steps import depth_sums
from dfevals.exceptions import DataError, MetricError, RoleError
from dfevals.tally.scores import ScoreTally


def grouped(groups: list[tuple[float, int, int]]) -> pd.DataFrame:
    """Rows of groups of equal score: (score, rows, positives)."""
    score = np.repeat([s for s, _, _ in groups], [n for _, n, _ in groups])
    y = np.concatenate([np.arange(n) < k for _, n, k in groups])
    return pd.DataFrame({"y": y.astype(int), "s": score})


def frame_of(n: int = 997, *, ties: bool = False, seed: int = 8) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.2
    score = rng.normal(size=n) + 1.3 * y
    return pd.DataFrame(
        {
            "y": y.astype(int),
            "s": np.round(score) if ties else score,
            "g": rng.choice(["a", "b"], n),
            "w": rng.integers(1, 4, n),
            "amount": rng.gamma(2, 30, n),
        }
    )


def evaluation(frame: pd.DataFrame, **more: Any) -> Any:
    return frame.evals(y_true="y", y_score="s", pos_label=1, **more)


def test_leaves_of_a_tree_as_sas_enterprise_miner_splits_them() -> None:
    """Four leaves share 4,843 rows; the published bins of 5 % cut them fractionally (vibdoc.com/lift.html)."""
    df = grouped([(0.612, 188, 115), (0.576, 2112, 1216), (0.538, 472, 254), (0.404, 2071, 836)])
    frame = evaluation(df).gains(quantiles=20).frame.set_index("bin")
    assert frame.loc[1, "n"] == pytest.approx(242.15)
    assert frame.loc[1, "n_pos"] == pytest.approx(146.177, abs=1e-3)
    assert frame.loc[1, "rate"] == pytest.approx(0.60366, abs=1e-5)
    assert frame.loc[1, "capture"] == pytest.approx(0.0603788, abs=1e-6)
    assert frame.loc[1, "lift"] == pytest.approx(1.20757, abs=1e-5)
    assert frame.loc[2, "rate"] == pytest.approx(0.5757576, abs=1e-6)
    assert frame.loc[2, "cum_pos"] / frame.loc[2, "cum_n"] == pytest.approx(0.5897, abs=1e-4)
    assert frame.loc[3, "cum_lift"] == pytest.approx(1.1704, abs=1e-4)
    assert frame.loc[10, "n_pos"] == pytest.approx(134.8486, abs=1e-3)
    assert frame.loc[10, "rate"] == pytest.approx(0.55688, abs=1e-5)
    assert frame.loc[11, "rate"] == pytest.approx(254 / 472)
    assert frame.loc[20, "rate"] == pytest.approx(836 / 2071)


def test_a_mailing_of_a_hundred_thousand() -> None:
    """Cumulated responses by decile of a published exercise (University of Regina, data mining notes)."""
    cumulated = [6000, 10000, 13000, 15800, 17000, 18000, 18800, 19400, 19800, 20000]
    counts = np.diff([0, *cumulated])
    frame = evaluation(grouped([(1 - i / 10, 10_000, int(k)) for i, k in enumerate(counts)])).gains().frame
    assert frame["cum_pos"].tolist() == cumulated
    assert frame["gain"].tolist() == pytest.approx([0.3, 0.5, 0.65, 0.79, 0.85, 0.9, 0.94, 0.97, 0.99, 1])
    assert frame["cum_lift"].iloc[:3].tolist() == pytest.approx([3.0, 2.5, 0.65 / 0.3])
    assert frame["n"].eq(10_000).all()
    assert frame["bin"].tolist() == list(range(1, 11))


def test_columns_of_the_table() -> None:
    columns = evaluation(frame_of()).gains(by="g").frame.columns
    wanted = ["g", "model", "bin", "n", "n_pos", "score_min", "score_max", "rate", "cum_n", "cum_pos", "gain", "lift"]
    wanted += ["cum_lift", "ks", "is_overall"]
    assert [name for name in columns if name in wanted] == wanted


def test_without_ties_bins_hold_the_sorted_rows() -> None:
    df = frame_of(1000)
    frame = evaluation(df).gains(quantiles=8).frame
    ordered = df.sort_values("s", ascending=False)
    for i, (_, part) in enumerate(ordered.groupby(np.arange(1000) // 125)):
        row = frame.iloc[i]
        assert (row["n"], row["n_pos"]) == (125, part["y"].sum())
        assert (row["score_min"], row["score_max"]) == (part["s"].min(), part["s"].max())
        assert row["rate"] == pytest.approx(part["y"].mean())


@pytest.mark.parametrize("weight", [None, "importance", "frequency"])
def test_ties_are_split_in_proportion(weight: str | None) -> None:
    """What a random order of equal scores gives on average, row by row."""
    df = frame_of(ties=True)
    more = {} if weight is None else {"sample_weight": "w", "weight_kind": weight}
    frame = evaluation(df, **more).gains(quantiles=7).frame
    heavy = df["w"] if weight else pd.Series(1, df.index)
    by = pd.DataFrame({"s": df["s"], "w": heavy, "p": heavy * df["y"]}).groupby("s").sum().iloc[::-1]
    cum_w, cum_p = (np.concatenate([[0], by[name].cumsum()]) for name in "wp")
    cuts = cum_w[-1] * np.arange(8) / 7
    np.testing.assert_allclose(frame["cum_pos"], np.interp(cuts, cum_w, cum_p)[1:])
    np.testing.assert_allclose(frame["n"], cum_w[-1] / 7)


def test_order_of_rows_never_matters() -> None:
    df = frame_of(ties=True)
    one = evaluation(df).gains(by="g").frame
    other = evaluation(df.sample(frac=1, random_state=0)).gains(by="g").frame
    pd.testing.assert_frame_equal(one, other)


def test_cohorts_are_filter_then_compute() -> None:
    df = frame_of(ties=True)
    ev = evaluation(df)
    both = ev.gains(by="g").frame
    alone = ev.where("g == 'b'").gains().frame
    mine = both[both["g"] == "b"].drop(columns=["g", "is_overall"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, alone.drop(columns="is_overall"))


@pytest.mark.parametrize("ties", [False, True])
def test_ks_is_scipys_and_the_point_is_where_it_is_reached(ties: bool) -> None:
    df = frame_of(ties=ties)
    row = evaluation(df).gains().summary.iloc[0]
    pos, neg = df.loc[df["y"] == 1, "s"], df.loc[df["y"] == 0, "s"]
    found = stats.ks_2samp(pos, neg)
    assert row["ks"] == pytest.approx(found.statistic)
    assert row["ks_gain"] - row["ks_negatives"] == pytest.approx(row["ks"])
    at = row["ks_score"]
    assert abs((pos <= at).mean() - (neg <= at).mean()) == pytest.approx(row["ks"]) or abs(
        (pos < at).mean() - (neg < at).mean()
    ) == pytest.approx(row["ks"])
    assert row["gini"] == pytest.approx(2 * row["roc_auc"] - 1)


def test_ks_column_is_the_difference_of_the_cumulated_shares() -> None:
    df = frame_of()
    frame = evaluation(df).gains().frame
    neg = (df["y"] == 0).sum()
    np.testing.assert_allclose(frame["ks"], frame["gain"] - (frame["cum_n"] - frame["cum_pos"]) / neg)


def test_rate_interval_is_wilson_and_lift_covers() -> None:
    from statsmodels.stats.proportion import proportion_confint

    row = evaluation(frame_of(1000)).gains().frame.iloc[0]
    assert (row["rate_low"], row["rate_high"]) == pytest.approx(
        proportion_confint(row["n_pos"], row["n"], method="wilson")
    )
    assert row["lift_low"] < row["lift"] < row["lift_high"]


@pytest.mark.parametrize(("n", "share", "inside", "outside"), [(100, 0.2, 0.5, 0.2), (1000, 0.1, 0.3, 0.08)])
def test_lift_intervals_cover(n: int, share: float, inside: float, outside: float) -> None:
    rng = np.random.default_rng(1)
    part = int(n * share)
    k = rng.binomial(part, inside, 4000).astype(float)
    whole = k + rng.binomial(n - part, outside, 4000)
    low, high = lift_bounds(k, np.array(float(part)), whole, np.array(float(n)), 0.95)
    truth = inside / (share * inside + (1 - share) * outside)
    assert np.mean((low <= truth) & (truth <= high)) == pytest.approx(0.95, abs=0.02)


def test_fewer_scores_than_bins_and_constant_scores() -> None:
    df = frame_of(100).assign(s=0.5)
    result = evaluation(df).gains()
    np.testing.assert_allclose(result.frame["lift"], 1)
    assert result.frame["n"].eq(10).all()
    assert any("equal score" in note for note in result.notes)
    assert result.summary["ks"].item() == 0
    few = evaluation(df.assign(s=[0.1, 0.9] * 50)).gains().frame
    assert few["cum_pos"].iloc[-1] == df["y"].sum()


def test_more_bins_than_rows() -> None:
    frame = evaluation(grouped([(0.9, 1, 1), (0.5, 1, 0), (0.1, 1, 1)])).gains().frame
    np.testing.assert_allclose(frame["n"], 0.3)
    assert frame["n_pos"].sum() == pytest.approx(2)


def test_cohorts_of_one_class_have_a_reason() -> None:
    df = frame_of(100)
    df.loc[df.index[:20], ["g", "y"]] = ["none", 0]
    df.loc[df.index[20:30], ["g", "y"]] = ["all", 1]
    result = evaluation(df).gains(by="g")
    none, every = (result.frame[result.frame["g"] == name] for name in ("none", "all"))
    assert none["gain"].isna().all()
    assert none["lift"].isna().all()
    assert none["rate"].eq(0).all()
    assert none["note"].eq("no positives").all()
    assert every["ks"].isna().all()
    assert every["gain"].iloc[-1] == 1
    assert every["note"].eq("no negatives").all()


def test_own_cuts() -> None:
    frame = evaluation(frame_of(1000)).gains(quantiles=[0.01, 0.05, 0.5]).frame
    np.testing.assert_allclose(frame["cum_n"], [10, 50, 500, 1000])


@pytest.mark.parametrize("quantiles", [0, -1, 2000, "ten", [0.5, 0.2], [1.5], [], True, [np.nan]])
def test_wrong_cuts_are_refused(quantiles: Any) -> None:
    with pytest.raises(MetricError, match="quantiles"):
        evaluation(frame_of(20)).gains(quantiles=quantiles)


def brute_profit(df: pd.DataFrame, value: Any, cost: float, fixed: float) -> tuple[float, float]:
    """Greatest profit over all thresholds, and the threshold."""
    best = (0.0, np.inf)
    for threshold in df["s"]:
        chosen = df[df["s"] >= threshold]
        earned = (chosen["y"] * (chosen[value] if isinstance(value, str) else value)).sum()
        best = max(best, (earned - cost * len(chosen) - fixed, threshold))
    return best


@pytest.mark.parametrize("value", [20.0, "amount"])
def test_profit_is_that_of_the_rows(value: Any) -> None:
    df = frame_of(400)
    result = evaluation(df).gains(value=value, cost=6, fixed_cost=50)
    by_depth = result.profit
    row = by_depth.iloc[120]
    chosen = df[df["s"] >= row["threshold"]]
    earned = (chosen["y"] * (chosen[value] if isinstance(value, str) else value)).sum()
    assert row["contacts"] == len(chosen)
    assert row["profit"] == pytest.approx(earned - 6 * len(chosen) - 50)
    assert row["roi"] == pytest.approx(row["profit"] / (6 * len(chosen) + 50))
    best = result.best_profit.iloc[0]
    assert (best["profit"], best["threshold"]) == pytest.approx(brute_profit(df, value, 6, 50))
    assert best["optimism"] > 0
    assert best["depth_low"] <= best["depth"] <= best["depth_high"]


def test_contacts_that_never_pay() -> None:
    row = evaluation(frame_of(200)).gains(value=1, cost=10).best_profit.iloc[0]
    assert row["profit"] == 0
    assert row["depth"] == 0
    assert "nobody" in row["note"]


def test_profit_without_money_says_what_to_pass() -> None:
    with pytest.raises(MetricError, match="value=100"):
        _ = evaluation(frame_of(50)).gains().profit
    with pytest.raises(MetricError, match="0 or more"):
        evaluation(frame_of(50)).gains(value=-1)
    with pytest.raises(RoleError, match="Did you mean 'amount'"):
        evaluation(frame_of(50)).gains(value="amout")
    df = frame_of(50)
    df.loc[3, "amount"] = np.nan
    with pytest.raises(DataError, match="1 missing"):
        evaluation(df).gains(value="amount")


def test_profit_interval_covers() -> None:
    """Profit at a fixed depth's threshold, 95 %."""
    hits = 0
    for seed in range(100):
        df = frame_of(500, seed=seed)
        part = evaluation(df).gains(value=20, cost=5, n_resamples=2).profit
        row = part.iloc[(part["threshold"] - 1.0).abs().argmin()]
        inside = stats.norm.sf(row["threshold"] - 1.3), stats.norm.sf(row["threshold"])
        truth = 500 * (0.2 * inside[0] * 15 - 0.8 * inside[1] * 5)
        hits += row["profit_low"] <= truth <= row["profit_high"]
    assert hits / 100 == pytest.approx(0.95, abs=0.06)


def test_classes_against_the_rest() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 200)
    scores = rng.dirichlet([1, 1, 1], 200) + 0.5 * np.eye(3)[truth]
    df = pd.DataFrame(scores / 1.5, columns=["p_x", "p_y", "p_z"]).assign(y=np.array(list("xyz"))[truth])
    result = df.evals(y_true="y", y_score="p_{label}").gains(quantiles=5)
    assert result.frame.groupby("class")["n_pos"].sum().tolist() == np.bincount(truth).tolist()


def test_depth_zero_and_one() -> None:
    tally = ScoreTally.collect(np.zeros(4, np.int8), 1, np.array([0.1, 0.2, 0.2, 0.9]), np.array([0, 1, 0, 1]) == 1)
    pos, neg, inner, outer = depth_sums(tally, np.array([0.0, 0.5, 1.0]))
    assert pos.tolist() == [[0, 1.5, 2]]
    assert neg.tolist() == [[0, 0.5, 2]]
    assert inner[0, 1:].tolist() == [0.2, 0.1]
    assert outer[0, :2].tolist() == [0.9, 0.2]
    assert np.isnan([inner[0, 0], outer[0, 2]]).all()


def test_the_caption_names_ks_auc_gini_and_concordance() -> None:
    text = str(evaluation(frame_of()).gains(by="g"))
    assert all(word in text for word in ("KS 0.", "AUC 0.", "Gini 0.", "concordant"))
