"""Curves of a score: points against scikit-learn, ties, weights, thinning, bands, undefined curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

import dfevals  # noqa: F401  (registers df.evals)
from dfevals.analyses.scores.score_steps import LIMIT, rows_below, steps, sums_below
from dfevals.exceptions import MetricError
from dfevals.inference.bands import RatePoints, ks_distance, rate_bounds, rates_band, simultaneous_factor
from dfevals.tally.scores import ScoreTally

RNG_SEED = 20


def frame_of(n: int = 600, *, ties: bool = False, shift: float = 0.0, seed: int = RNG_SEED) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.3
    score = rng.normal(size=n) + 1.2 * y + shift
    return pd.DataFrame(
        {
            "y": y.astype(int),
            "s": np.round(score, 1) if ties else score,
            "g": rng.choice(["a", "b"], n),
            "w": rng.integers(1, 5, n) / 2,
        }
    )


def evaluation(frame: pd.DataFrame, **more: Any) -> Any:
    return frame.evals(y_true="y", y_score="s", pos_label=1, **more)


def of(frame: pd.DataFrame, group: str) -> pd.DataFrame:
    return frame[frame["g"] == group]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_roc_is_scikit_learns_point_by_point(ties: bool, weighted: bool) -> None:
    df = frame_of(ties=ties)
    more = {"sample_weight": "w"} if weighted else {}
    frame = evaluation(df, **more).roc(by="g").frame
    for group, rows in (("(overall)", df), *((name, df[df["g"] == name]) for name in "ab")):
        weight = rows["w"] if weighted else None
        fpr, tpr, threshold = metrics.roc_curve(rows["y"], rows["s"], drop_intermediate=False, sample_weight=weight)
        mine = of(frame, group)
        np.testing.assert_allclose(mine["fpr"], fpr, atol=1e-12)
        np.testing.assert_allclose(mine["tpr"], tpr, atol=1e-12)
        np.testing.assert_array_equal(mine["threshold"], threshold)


@pytest.mark.parametrize("ties", [False, True])
def test_precision_and_recall_are_scikit_learns(ties: bool) -> None:
    df = frame_of(ties=ties)
    frame = evaluation(df).pr(by="g").frame
    for group in "ab":
        rows, mine = df[df["g"] == group], of(frame, group)
        precision, recall, threshold = metrics.precision_recall_curve(rows["y"], rows["s"])
        np.testing.assert_allclose(mine["precision"], precision, atol=1e-12)
        np.testing.assert_allclose(mine["recall"], recall, atol=1e-12)
        np.testing.assert_array_equal(mine["threshold"].iloc[:-1], threshold)
        assert np.isposinf(mine["threshold"].iloc[-1])


def test_det_holds_scikit_learns_points() -> None:
    df = frame_of(ties=True)
    mine = evaluation(df).det().frame
    fpr, fnr, _ = metrics.det_curve(df["y"], df["s"])
    points = {(round(a, 12), round(b, 12)) for a, b in zip(mine["fpr"], mine["fnr"], strict=True)}
    assert {(round(a, 12), round(b, 12)) for a, b in zip(fpr, fnr, strict=True)} <= points


def test_accuracy_ratio_of_the_cap_curve_is_gini() -> None:
    df = frame_of()
    result = evaluation(df).cap()
    curve = result.frame
    area = metrics.auc(curve["selected"], curve["captured"])
    base = df["y"].mean()
    ratio = (area - 0.5) / ((1 - base) / 2)
    assert result.summary["accuracy_ratio"].item() == pytest.approx(ratio)
    assert ratio == pytest.approx(2 * metrics.roc_auc_score(df["y"], df["s"]) - 1)


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("ties", [False, True])
def test_partial_area_is_mcclishs(limit: float, ties: bool) -> None:
    df = frame_of(ties=ties)
    row = evaluation(df).roc(max_fpr=limit).summary.iloc[0]
    wanted = metrics.roc_auc_score(df["y"], df["s"], max_fpr=None if limit == 1 else limit)
    assert row["partial_auc"] == pytest.approx(wanted)
    assert row["partial_auc_low"] < wanted < row["partial_auc_high"]


def test_operating_point_is_where_decisions_are_made() -> None:
    df = frame_of()
    row = evaluation(df, threshold=0.7).roc().summary.iloc[0]
    said = df["s"] >= 0.7
    assert row["operating_threshold"] == 0.7
    assert row["operating_tpr"] == pytest.approx(metrics.recall_score(df["y"], said))
    assert row["operating_fpr"] == pytest.approx((said & (df["y"] == 0)).sum() / (df["y"] == 0).sum())
    own = df.assign(p=(df["s"] + np.sin(df["s"] * 9) > 0.5).astype(int))
    row = own.evals(y_true="y", y_score="s", y_pred="p", pos_label=1).pr().summary.iloc[0]
    assert np.isnan(row["operating_threshold"])
    assert row["operating_precision"] == pytest.approx(metrics.precision_score(own["y"], own["p"]))


def test_every_class_against_the_rest() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 300)
    scores = rng.random((300, 3)) + 0.7 * np.eye(3)[truth]
    df = pd.DataFrame(scores / scores.sum(axis=1, keepdims=True), columns=[f"p_{name}" for name in "xyz"])
    df["y"] = np.array(list("xyz"))[truth]
    result = df.evals(y_true="y", y_score="p_{label}").roc()
    assert result.frame["class"].unique().tolist() == ["x", "y", "z"]
    for name in "xyz":
        mine = result.frame[result.frame["class"] == name]
        fpr, tpr, _ = metrics.roc_curve(df["y"] == name, df[f"p_{name}"], drop_intermediate=False)
        np.testing.assert_allclose(np.column_stack([mine["fpr"], mine["tpr"]]), np.column_stack([fpr, tpr]))
        row = result.summary[result.summary["class"] == name].iloc[0]
        assert row["roc_auc"] == pytest.approx(metrics.roc_auc_score(df["y"] == name, df[f"p_{name}"]))


def test_many_scores_are_thinned_to_exact_points() -> None:
    df = frame_of(60_000)
    result = evaluation(df).roc()
    mine = result.frame
    assert len(mine) <= LIMIT
    assert any("2,000" in note for note in result.notes)
    fpr, tpr, threshold = metrics.roc_curve(df["y"], df["s"], drop_intermediate=False)
    at = np.searchsorted(-threshold, -mine["threshold"].to_numpy())
    np.testing.assert_array_equal(threshold[at], mine["threshold"])
    np.testing.assert_allclose(mine["fpr"], fpr[at])
    np.testing.assert_allclose(mine["tpr"], tpr[at])
    assert (mine["fpr"].iloc[-1], mine["tpr"].iloc[-1]) == (1.0, 1.0)
    assert mine[["fpr", "tpr"]].diff().max().max() < 1 / 390
    assert metrics.auc(mine["fpr"], mine["tpr"]) == pytest.approx(metrics.roc_auc_score(df["y"], df["s"]), abs=1e-5)
    assert result.summary["roc_auc"].item() == pytest.approx(metrics.roc_auc_score(df["y"], df["s"]))


def test_few_distinct_scores_are_all_kept_however_many_rows() -> None:
    df = frame_of(60_000, ties=True)
    mine = evaluation(df).roc().frame
    assert len(mine) == df["s"].nunique() + 1


@pytest.mark.parametrize("weight", [None, "frequency"])
def test_sums_below_thresholds(weight: str | None) -> None:
    rng = np.random.default_rng(4)
    codes, y = rng.integers(0, 4, 500), rng.random(500) < 0.4
    score = np.round(rng.random(500), 2)
    heavy = None if weight is None else rng.integers(0, 4, 500).astype(float)
    tally = ScoreTally.collect(codes, 5, score, y, heavy, frequency=weight == "frequency")
    thresholds = np.array([-np.inf, -1, 0.0, 0.25, 0.5, 0.51, 1.0, 3.0, np.inf])
    found = sums_below(tally, rows_below(tally, thresholds))
    part = sums_below(tally, rows_below(tally, thresholds[2:5]))  # the last place lies before the last row
    np.testing.assert_array_equal(part.neg, found.neg[:, 2:5])
    w = np.ones(500) if heavy is None else heavy
    for cohort in range(5):
        for at, threshold in enumerate(thresholds):
            rows = (codes == cohort) & (score < threshold)
            assert found.pos[cohort, at] == w[rows & y].sum()
            assert found.neg[cohort, at] == w[rows & ~y].sum()


def test_wilson_at_the_threshold_and_the_distance_of_kolmogorov() -> None:
    from scipy.stats import kstwo
    from statsmodels.stats.proportion import proportion_confint

    df = frame_of(300)
    mine = evaluation(df).roc().frame.iloc[100]
    pos = df["y"].sum()
    low, high = proportion_confint(mine["tpr"] * pos, pos, method="wilson")
    assert (mine["tpr_low"], mine["tpr_high"]) == pytest.approx((low, high))
    n = np.array([10.0, 50.0, 1000.0])
    np.testing.assert_allclose(ks_distance(n, 0.95), kstwo.ppf(0.95, n.astype(int)), rtol=0.01)


def binormal(n: int, prevalence: float, distance: float, repeats: int, seed: int) -> tuple[Any, RatePoints]:
    rng = np.random.default_rng(seed)
    pos = int(n * prevalence)
    score = np.concatenate([rng.normal(distance, 1, (repeats, pos)), rng.normal(0, 1, (repeats, n - pos))], axis=1)
    label = np.tile(np.arange(n) < pos, repeats)
    tally = ScoreTally.collect(np.repeat(np.arange(repeats), n), repeats, score.ravel(), label)
    found = steps(tally, 10**6)
    points = RatePoints(found.cohort, found.fp / found.neg, found.tp / found.pos, found.total.pos, found.total.neg)
    return found, points


@pytest.mark.parametrize(("n", "prevalence", "distance", "repeats"), [(100, 0.4, 1.0, 1000), (1000, 0.2, 1.5, 250)])
def test_bands_cover(n: int, prevalence: float, distance: float, repeats: int) -> None:
    """At 95 %: the rectangles everywhere at once, Wilson's at each threshold, the band at each false positive rate."""
    from scipy.stats import norm

    found, points = binormal(n, prevalence, distance, repeats, 5)
    tpr, fpr = norm.sf(found.threshold - distance), norm.sf(found.threshold)
    low, high, fpr_low, fpr_high = rate_bounds(points, 0.95, True)
    out = (tpr < low) | (tpr > high) | (fpr < fpr_low) | (fpr > fpr_high)
    error = 3 * np.sqrt(0.05 * 0.95 / repeats)
    assert 1 - np.mean(np.bincount(found.cohort, out) > 0) == pytest.approx(0.955, abs=0.015 + error)
    band_low, band_high = rates_band(points, 0.95)
    grid = np.array([0.1, 0.3, 0.5])
    truth = norm.sf(norm.isf(grid) - distance)
    hit = []
    for curve in range(repeats):
        at = found.of(curve)
        hit.append(
            (np.interp(grid, points.fpr[at], band_low[at]) <= truth)
            & (truth <= np.interp(grid, points.fpr[at], band_high[at]))
        )
    cover = np.mean(hit, axis=0)
    assert (cover > 0.93 - error).all()
    assert (cover < 0.985 + error).all()


def test_the_simultaneous_band_covers_whole_curves() -> None:
    from scipy.stats import norm

    rng = np.random.default_rng(6)
    found, points = binormal(100, 0.5, 1.0, 200, 7)
    low, high = rates_band(points, 0.95)
    grid = np.linspace(0.02, 0.98, 49)
    truth = norm.sf(norm.isf(grid) - 1.0)
    hit = 0
    for curve in range(200):
        at = found.of(curve)
        x, y, bottom, top = points.fpr[at], points.tpr[at], low[at], high[at]
        factor = simultaneous_factor(x, y, bottom, top, 50, 50, 0.95, 200, rng)
        assert 1 <= factor < 2.5
        bottom, top = y - factor * (y - bottom), y + factor * (top - y)
        left, right = np.searchsorted(x, grid, "left"), np.searchsorted(x, grid, "right") - 1
        exact = x[np.minimum(left, len(x) - 1)] == grid
        b = np.where(exact, bottom[np.minimum(left, len(x) - 1)], np.interp(grid, x, bottom))
        t = np.where(exact, top[right], np.interp(grid, x, top))
        hit += bool(((truth >= b - 1e-9) & (truth <= t + 1e-9)).all())
    assert hit / 200 == pytest.approx(0.95, abs=0.045)


def test_simultaneous_bands_are_wider_and_repeatable() -> None:
    ev = evaluation(frame_of(300))
    point, whole, again = ev.roc(), ev.roc(band="simultaneous"), ev.roc(band="simultaneous")
    assert (whole.frame["band_low"] <= point.frame["band_low"] + 1e-12).all()
    assert (whole.frame["tpr_high"] >= point.frame["tpr_high"] - 1e-3).mean() > 0.9
    pd.testing.assert_frame_equal(whole.frame, again.frame)
    assert ev.pr(band="simultaneous").frame["precision_low"].between(0, 1).iloc[:-1].all()


def test_undefined_curves_are_named_not_dropped() -> None:
    df = frame_of(100)
    df.loc[df.index[:10], ["g", "y"]] = ["none", 0]
    df.loc[df.index[10:15], ["g", "y"]] = ["all", 1]
    ev = evaluation(df)
    roc = ev.roc(by="g")
    for group, reason in (("none", "no positives"), ("all", "no negatives")):
        mine = of(roc.frame, group)
        assert len(mine) == 1
        assert mine["tpr"].isna().all()
        assert mine["note"].item() == reason
    assert of(ev.pr(by="g").frame, "all")["precision"].eq(1).all()
    assert of(ev.pr(by="g").summary, "none")["note"].item() == "no positives"


def test_constant_scores_give_the_chance_line() -> None:
    mine = evaluation(frame_of(50).assign(s=0.5)).roc()
    assert mine.frame["fpr"].tolist() == [0, 1]
    assert mine.frame["tpr"].tolist() == [0, 1]
    assert mine.summary["roc_auc"].item() == 0.5


def test_scores_outside_the_unit_interval_and_order_of_rows() -> None:
    df = frame_of(200, shift=1000.0, ties=True)
    one = evaluation(df).roc(by="g").frame
    other = evaluation(df.sample(frac=1, random_state=1)).roc(by="g").frame
    pd.testing.assert_frame_equal(one, other)


def test_missing_scores_are_counted() -> None:
    df = frame_of(100)
    df.loc[df.index[:7], "s"] = np.nan
    result = evaluation(df).roc()
    assert any("7 rows left out" in note for note in result.notes)
    assert result.summary["n"].item() == 93


def test_cohort_columns_named_like_a_number_are_prefixed() -> None:
    df = frame_of(100).rename(columns={"g": "tpr"})
    result = evaluation(df).roc(by="tpr")
    assert result.cohort_columns == ("by_tpr",)
    assert set(result.frame["by_tpr"]) == {"(overall)", "a", "b"}


def test_wrong_questions_say_what_to_do() -> None:
    df = frame_of(60).assign(p=lambda d: d["y"], v=lambda d: d["s"])
    with pytest.raises(MetricError, match="only predictions"):
        df.evals(y_true="y", y_pred="p").roc()
    with pytest.raises(MetricError, match="residuals"):
        df.evals(y_true="v", y_pred="s").roc()
    with pytest.raises(MetricError, match="Did you mean 'pointwise'"):
        evaluation(df).roc(band="point")
    with pytest.raises(MetricError, match="max_fpr"):
        evaluation(df).roc(max_fpr=0)


def test_clusters_are_warned_about() -> None:
    df = frame_of(60).assign(c=np.arange(60) // 3)
    assert any("not independent" in note for note in evaluation(df, cluster="c").roc().notes)


def test_shown_as_a_table_of_areas() -> None:
    result = evaluation(frame_of(100)).roc(by="g")
    assert "roc_auc" in result._repr_html_()
    assert "points in .frame" in str(result)
    assert "note" not in str(result).splitlines()[2]
