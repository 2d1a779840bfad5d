"""Calibration: curves against scikit-learn, CORP against exact arithmetic, numbers against statsmodels, sizes by simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.calibration import calibration_curve

import dfevals
from dfevals.analyses.calibration.bands import hosmer_lemeshow, isotonic_confidence, mean_bias, smooth_curve
from dfevals.exceptions import MetricError
from dfevals.inference.isotonic import isotonic
from dfevals.metrics.reliability import decompose, ece_of, logistic_recalibration, smooth_ece_of, spiegelhalter_of
from dfevals.tally import BinTally, ScoreTally
from dfevals.tally.bins import Binning
from dfevals.tally.ties import TieTable, quantile_cuts, uniform_cuts

Floats = npt.NDArray[np.float64]


def scored(n: int, seed: int, truth: Callable[[Floats], Floats] = lambda s: s) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    score = rng.beta(1.2, 2, n)
    y = (rng.random(n) < truth(score)).astype(int)
    return pd.DataFrame({"y": y, "p": score, "g": rng.choice(["a", "b", "c"], n), "w": rng.integers(1, 4, n)})


def steep(score: Floats) -> Floats:
    return expit(0.3 + 0.6 * logit(score))


def ties(score: Any, y: Any, cohort: Any = None, cohorts: int = 1, weight: Any = None) -> TieTable:
    codes = np.zeros(len(score), int) if cohort is None else cohort
    label = np.asarray(y).astype(bool)
    return TieTable.of(ScoreTally.collect(codes, cohorts, np.asarray(score, float), label, weight))


# Curves


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("rounded", [None, 1])
def test_binned_curves_are_scikit_learns(strategy: str, rounded: int | None) -> None:
    from sklearn.calibration import calibration_curve

    df = scored(3000, 1, steep)
    df["p"] = df["p"] if rounded is None else df["p"].round(rounded)
    frame = df.evals(y_true="y", y_score="p").calibration(by="g", strategy=strategy, bins=12).frame
    for group, part in [("(overall)", df), *df.groupby("g")]:
        observed, mean = calibration_curve(part["y"], part["p"], n_bins=12, strategy=strategy)
        mine = frame[frame["g"] == group]
        np.testing.assert_allclose(mine["score_mean"], mean, atol=1e-12)
        np.testing.assert_allclose(mine["observed"], observed, atol=1e-12)
        assert mine["n"].sum() == len(part)


def test_corp_is_isotonic_regression() -> None:
    from sklearn.isotonic import IsotonicRegression

    df = scored(2000, 2, steep).round({"p": 2})
    frame = df.evals(y_true="y", y_score="p").calibration(by="g").frame
    for group, part in [("(overall)", df), *df.groupby("g")]:
        fitted = IsotonicRegression().fit(part["p"], part["y"]).predict(part["p"])
        mine = frame[frame["g"] == group]
        place = np.searchsorted(mine["score_max"].to_numpy(), part["p"].to_numpy())
        np.testing.assert_allclose(mine["observed"].to_numpy()[place], fitted, atol=1e-9)
        assert np.all(np.diff(mine["observed"]) > 0)


def test_many_series_are_regressed_apart() -> None:
    from scipy.optimize import isotonic_regression

    rng = np.random.default_rng(0)
    value, weight = rng.random((50, 30)), rng.random((50, 30)) + 0.1
    fitted, starts = isotonic(value.ravel(), weight.ravel(), np.repeat(np.arange(50), 30))
    alone = [isotonic_regression(v, weights=w).x for v, w in zip(value, weight, strict=True)]
    np.testing.assert_allclose(fitted, np.concatenate(alone), atol=1e-12)
    assert {0, 30, 60} <= set(starts.tolist())


def test_smooth_curve_follows_the_truth() -> None:
    df = scored(200_000, 3, steep)
    frame = df.evals(y_true="y", y_score="p").calibration(strategy="smooth").frame
    inner = frame[frame["score_mean"].between(0.05, 0.9)]
    assert np.abs(inner["observed"] - steep(inner["score_mean"].to_numpy())).max() < 0.03


def test_smooth_curve_is_a_weighted_line_through_the_errors() -> None:
    """The same by weighted least squares, one place at a time."""
    rng = np.random.default_rng(5)
    cell = np.floor(1000 * rng.beta(0.7, 1, 400))
    s, y = (cell + 0.5) / 1000, (rng.random(400) < 0.4).astype(float)
    curve = smooth_curve(ties(s, y), np.array([0.06]))
    for place in (0, 15, 50, 80):
        at, kernel = curve.score[0, place], np.exp(-((s - curve.score[0, place]) ** 2) / (2 * 0.06**2))
        design = np.column_stack([np.ones(400), (s - at) / 0.06])
        inside = (design.T * kernel) @ design + np.diag([0, 0.02 * kernel.sum()])
        weight = (np.linalg.inv(inside) @ (design.T * kernel))[0]
        assert curve.observed[0, place] == pytest.approx(np.clip(at + weight @ (y - s), 0, 1), abs=1e-6)
        assert curve.n[0, place] == pytest.approx(1 / np.sum(weight**2), rel=1e-6)
        assert curve.null_se[0, place] == pytest.approx(np.sqrt(np.sum(weight**2 * s * (1 - s))), rel=1e-6)


def test_smooth_curve_reaches_the_ends_without_bias() -> None:
    df = scored(200_000, 4, lambda s: s)
    frame = df.evals(y_true="y", y_score="p").calibration(strategy="smooth").frame
    ends = frame[(frame["score_mean"] < 0.02) | (frame["score_mean"] > 0.98)]
    assert len(ends) == 4
    assert ((ends["ci_low"] <= ends["score_mean"]) & (ends["score_mean"] <= ends["ci_high"])).all()


# Decomposition


def test_corp_decomposition_by_hand() -> None:
    # scores .1 .4 .35 .8 with outcomes 0 0 1 1: sorted outcomes 0 1 0 1, pools {.1} {.35, .4} {.8} at 0, ½, 1.
    table = ties([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    brier, log = decompose(table)
    score = (0.1**2 + 0.4**2 + 0.65**2 + 0.2**2) / 4
    assert brier.score[0] == pytest.approx(score)
    assert brier.uncertainty[0] == pytest.approx(0.25)
    assert brier.discrimination[0] == pytest.approx(0.25 - 2 * 0.25 / 4)
    assert brier.miscalibration[0] == pytest.approx(score - 2 * 0.25 / 4)
    assert log.uncertainty[0] == pytest.approx(np.log(2))
    assert log.discrimination[0] == pytest.approx(np.log(2) - 2 * np.log(2) / 4)
    assert log.miscalibration[0] == pytest.approx(
        -(np.log(0.9) + np.log(0.6) + np.log(0.35) + np.log(0.8)) / 4 - np.log(2) / 2
    )


@pytest.mark.parametrize("name", ["brier", "log_loss"])
def test_parts_add_up_to_the_score(name: str) -> None:
    names = [name, *(f"{name}_{part}" for part in ("miscalibration", "discrimination", "uncertainty"))]
    wide = scored(900, 4, steep).evals(y_true="y", y_score="p").metrics(names, by="g").wide()
    parts = wide[names[1]] - wide[names[2]] + wide[names[3]]
    np.testing.assert_allclose(parts, wide[name], atol=1e-12)
    assert (wide[names[1]] >= 0).all()


def test_isotonic_recalibration_is_the_best_monotone_one() -> None:
    from sklearn.isotonic import IsotonicRegression
    from sklearn.metrics import brier_score_loss, log_loss

    df = scored(800, 5, steep)
    again = IsotonicRegression().fit(df["p"], df["y"]).predict(df["p"])
    brier, log = decompose(ties(df["p"], df["y"]))
    assert brier.miscalibration[0] == pytest.approx(
        brier_score_loss(df["y"], df["p"]) - brier_score_loss(df["y"], again), abs=1e-12
    )
    assert log.miscalibration[0] == pytest.approx(log_loss(df["y"], df["p"]) - log_loss(df["y"], again), abs=1e-9)


# Logistic recalibration, Spiegelhalter, Hosmer–Lemeshow


@pytest.mark.parametrize("n", [60, 5000])
def test_slope_and_intercept_are_statsmodels(n: int) -> None:
    import statsmodels.api as sm

    df = scored(n, 6, steep)
    names = ["calibration_intercept", "calibration_slope", "calibration_in_the_large"]
    frame = df.evals(y_true="y", y_score="p").metrics(names, by="g").frame
    for group, part in [("(overall)", df), *df.groupby("g")]:
        x = logit(part["p"].to_numpy())
        fit = sm.Logit(part["y"].to_numpy(), sm.add_constant(x)).fit(disp=0)
        flat = sm.GLM(part["y"].to_numpy(), np.ones(len(x)), family=sm.families.Binomial(), offset=x).fit()
        mine = frame[frame["g"] == group].set_index("metric")
        np.testing.assert_allclose(mine["value"], [*fit.params, *flat.params], rtol=1e-5, atol=1e-6)
        edges = np.vstack([fit.conf_int(), flat.conf_int()])
        np.testing.assert_allclose(mine[["ci_low", "ci_high"]], edges, rtol=1e-4, atol=1e-5)


def test_weighted_slope_has_a_sandwich_interval() -> None:
    import statsmodels.api as sm

    df = scored(2000, 7, steep)
    found = df.evals(y_true="y", y_score="p", sample_weight="w").metrics("calibration_slope").frame.iloc[0]
    model = sm.GLM(
        df["y"], sm.add_constant(logit(df["p"])), family=sm.families.Binomial(), freq_weights=df["w"].to_numpy()
    )
    assert found["value"] == pytest.approx(model.fit().params.iloc[1], rel=1e-6)
    x, w = sm.add_constant(logit(df["p"])).to_numpy(), df["w"].to_numpy()
    p = model.fit().predict().to_numpy() if hasattr(model.fit().predict(), "to_numpy") else model.fit().predict()
    bread = np.linalg.inv((x * (w * p * (1 - p))[:, None]).T @ x)
    meat = (x * (w**2 * (df["y"].to_numpy() - p) ** 2)[:, None]).T @ x
    se = np.sqrt((bread @ meat @ bread)[1, 1])
    assert (found["ci_high"] - found["ci_low"]) / 2 / 1.959964 == pytest.approx(se, rel=1e-4)


def test_spiegelhalter_by_the_formula() -> None:
    df = scored(500, 8, steep)
    y, s = df["y"].to_numpy(), df["p"].to_numpy()
    z = ((y - s) * (1 - 2 * s)).sum() / np.sqrt(((1 - 2 * s) ** 2 * s * (1 - s)).sum())
    assert spiegelhalter_of(ties(s, y))[0] == pytest.approx(z)
    assert z > 2  # too extreme scores are overconfident


def test_hosmer_lemeshow_by_the_formula() -> None:
    df = scored(1000, 9, steep).sort_values("p", ignore_index=True)
    table = ties(df["p"], df["y"])
    statistic, degrees, p = hosmer_lemeshow(table.sums(quantile_cuts(table, 10)), 1)
    parts = df.groupby(pd.qcut(df["p"], 10), observed=True)
    expected = ((parts["y"].sum() - parts["p"].sum()) ** 2 / parts["p"].agg(lambda s: (s * (1 - s)).sum())).sum()
    assert degrees[0] == 10
    assert statistic[0] == pytest.approx(expected)
    from scipy.stats import chi2

    assert p[0] == pytest.approx(chi2.sf(expected, 10))


# Errors


def test_plugin_errors_by_hand() -> None:
    df = scored(2000, 10, steep)
    cell = np.minimum((df["p"] * 15).astype(int), 14)
    parts = df.groupby(cell)
    gap, share = (parts["y"].mean() - parts["p"].mean()).abs(), parts.size() / len(df)
    values = df.evals(y_true="y", y_score="p").metrics(["ece_plugin", "mce", "ece", "ece(bins=15)"]).frame["value"]
    assert values[0] == pytest.approx((share * gap).sum())
    assert values[1] == pytest.approx(gap.max())
    assert 0 < values[2] < values[0]
    assert values[2] == values[3]


def test_smooth_ece_is_that_of_relplot() -> None:
    # relplot 1.0.3: smECE(p, y, eps=1e-5) on these rows
    for n, truth, expected in ((4000, steep, RELPLOT[0]), (300, None, RELPLOT[1])):
        df = scored(n, 11, truth or (lambda s: s))
        assert smooth_ece_of(ties(df["p"], df["y"]))[0] == pytest.approx(expected, abs=1e-3)


RELPLOT = (0.101962614315484, 0.05691422184220614)


def test_smooth_ece_by_direct_smoothing() -> None:
    df = scored(400, 12, steep)
    s, r = df["p"].to_numpy(), (df["y"] - df["p"]).to_numpy()
    width = smooth_ece_of(ties(s, df["y"]))[0]
    t = (np.arange(4000) + 0.5) / 4000
    images = [s, -s, 2 - s]
    kernel = sum(np.exp(-((t[:, None] - x) ** 2) / (2 * width**2)) for x in images) / (width * np.sqrt(2 * np.pi))
    assert np.abs(kernel @ r / len(s)).mean() == pytest.approx(width, abs=2e-5)


# Size and coverage by simulation, all cohorts at once


def many(n: int, repeats: int, seed: int, truth: Callable[[Floats], Floats] = lambda s: s) -> TieTable:
    rng = np.random.default_rng(seed)
    score = rng.beta(1.2, 2, n * repeats)
    return ties(score, rng.random(n * repeats) < truth(score), np.repeat(np.arange(repeats), n), repeats)


@pytest.mark.parametrize(("n", "repeats"), [(100, 2000), (1000, 1000), (10_000, 150)])
def test_tests_of_calibration_have_their_size(n: int, repeats: int) -> None:
    table = many(n, repeats, 13)
    line = logistic_recalibration(table)
    groups = table.sums(quantile_cuts(table, 10))
    rejected = {
        "spiegelhalter": np.abs(spiegelhalter_of(table)) > 1.959964,
        "slope": np.abs(line.slope - 1) > 1.959964 * line.slope_se,
        "intercept": np.abs(line.intercept) > 1.959964 * line.intercept_se,
        "large": np.abs(line.large) > 1.959964 * line.large_se,
        "bias": np.abs(mean_bias(table, 0.95)[3]) > 1.959964,
        "hosmer_lemeshow": hosmer_lemeshow(groups, repeats)[2] < 0.05,
    }
    noise = 3 * np.sqrt(0.05 * 0.95 / repeats)  # of the simulation itself
    for name, flags in rejected.items():
        assert abs(flags.mean() - 0.05) < 0.02 + noise * (repeats < 1000), name


@pytest.mark.parametrize(("n", "repeats"), [(100, 2000), (1000, 1000), (10_000, 150)])
def test_ece_of_calibrated_scores_is_not_above_zero(n: int, repeats: int) -> None:
    table = many(n, repeats, 14)
    found = ece_of(table.sums(uniform_cuts(table, 15)), repeats)
    low, _ = found.bounds(0.95)
    assert (low > 0).mean() < 0.025 + 0.02
    assert found.debiased.mean() < 0.25 * found.plugin.mean()


@pytest.mark.parametrize("slope", [0.9, 0.75, 0.5])
@pytest.mark.parametrize("n", [200, 2000])
def test_interval_of_the_ece_covers(n: int, slope: float) -> None:
    def truth(score: Floats) -> Floats:
        return expit(0.1 + slope * logit(score))

    table = many(n, 600, 15, truth)
    low, high = ece_of(table.sums(uniform_cuts(table, 15)), 600).bounds(0.95)
    every = np.random.default_rng(0).beta(1.2, 2, 400_000)
    gap = truth(every) - every
    target = np.abs(np.bincount(np.minimum((every * 15).astype(int), 14), gap)).sum() / len(every)
    assert ((low <= target) & (target <= high)).mean() > 0.95 - 0.02


def test_small_samples_say_that_the_ece_is_low() -> None:
    def shifted(score: Floats) -> Floats:
        return expit(logit(score) + 0.33)

    table = many(150, 600, 22, shifted)
    found = ece_of(table.sums(uniform_cuts(table, 15)), 600)
    every = np.random.default_rng(0).beta(1.2, 2, 400_000)
    truth = float((shifted(every) - every).mean())  # all of one sign, so that the error is the bias
    assert found.debiased.mean() < 0.7 * truth
    low, high = found.bounds(0.95)
    assert ((low <= truth) & (truth <= high)).mean() > 0.95
    told = [scored(n, 23).evals(y_true="y", y_score="p").calibration(band=None).notes for n in (600, 3000)]
    assert [any("ece_high" in note for note in notes) for notes in told] == [True, False]


@pytest.mark.parametrize("n", [100, 1000])
def test_bands_of_the_isotonic_curve_cover(n: int) -> None:
    inside, covered = [], []
    for seed in range(120):
        df = scored(n, 1000 + seed, steep)
        table = ties(df["p"], df["y"])
        starts = table.pools()
        low, high = isotonic_confidence(table, starts, 0.95)
        ends = np.append(starts[1:], n)
        at = steep(table.score[(starts + ends - 1) // 2])
        covered.append((low <= at) & (at <= high))
        calm = scored(n, 5000 + seed).evals(y_true="y", y_score="p").calibration(n_resamples=200, random_state=seed)
        for at in (0.3, 0.5):
            band = calm.band.iloc[(calm.band["score"] - at).abs().argmin()]
            pool = min(int(np.searchsorted(calm.frame["score_max"], band["score"])), len(calm.frame) - 1)
            inside.append(band["low"] - 1e-6 <= calm.frame["observed"].iloc[pool] <= band["high"] + 1e-6)
    assert abs(np.concatenate(covered).mean() - 0.95) < 0.025
    assert abs(np.mean(inside) - 0.95) < 0.02 + 0.015  # the second for 240 trials


def test_verdicts_name_overconfident_cohorts() -> None:
    calm, extreme = scored(4000, 16), scored(4000, 17, steep)
    timid = scored(4000, 18, lambda s: expit(1.6 * logit(s)))
    df = pd.concat([calm.assign(g="calm"), extreme.assign(g="extreme"), timid.assign(g="timid")], ignore_index=True)
    df = pd.concat([df, calm.head(5).assign(g="tiny")], ignore_index=True)
    summary = df.evals(y_true="y", y_score="p").calibration(by="g").summary.set_index("g")
    verdict = summary["verdict"]
    assert verdict[["calm", "extreme", "timid", "tiny"]].tolist() == [
        "no evidence",
        "too low, overconfident",  # most scores are below one half, from where less extreme rates lie above
        "too high, underconfident",
        "too few",
    ]
    assert summary.loc["extreme", "calibration_slope_high"] < 1 < summary.loc["timid", "calibration_slope_low"]
    inner = summary.loc[["calm", "extreme", "timid", "tiny"]]
    assert (inner["p_corrected"].dropna() >= inner["p_value"].dropna() - 1e-15).all()


@pytest.mark.parametrize(
    ("off", "verdict"),
    [
        (lambda s: expit(logit(s) - 0.9), "too high"),
        (lambda s: expit(logit(s) + 0.9), "too low"),
        (lambda s: expit(0.68 * logit(s) - 0.6), "too high, overconfident"),
        (lambda s: expit(1.6 * logit(s) + 0.9), "too low, underconfident"),
        (lambda s: s, "no evidence"),
    ],
)
def test_verdicts_tell_the_level_from_the_spread(off: Callable[[Floats], Floats], verdict: str) -> None:
    summary = scored(4000, 19, off).evals(y_true="y", y_score="p").calibration(band=None).summary
    assert summary["verdict"].tolist() == [verdict]


def test_a_verdict_sees_the_shift_to_which_spiegelhalter_is_blind() -> None:
    rng = np.random.default_rng(20)
    rate = rng.uniform(0.1, 0.8, 20_000)
    df = pd.DataFrame({"y": (rng.random(20_000) < rate).astype(int), "p": rate + 0.1})
    df.loc[rate < 0.45, "p"] = rate[rate < 0.45] + 0.1 * (0.55 / 0.45)
    row = df.evals(y_true="y", y_score="p").calibration(band=None).summary.iloc[0]
    assert row["verdict"].startswith("too high")
    assert row["p_value"] == pytest.approx(3 * row[["bias_p", "calibration_slope_p", "spiegelhalter_p"]].min())


def test_rare_outcomes_rarely_give_a_verdict_without_cause() -> None:
    rng = np.random.default_rng(21)
    score = rng.beta(0.3, 30, 400 * 700)  # seven positives expected per cohort
    df = pd.DataFrame({"p": score, "y": (rng.random(len(score)) < score).astype(int), "g": np.repeat(range(400), 700)})
    result = df.evals(y_true="y", y_score="p", pos_label=1).calibration(by="g", band=None, strategy="uniform")
    summary = result.summary.query("~is_overall")
    for name in ("bias_p", "spiegelhalter_p"):
        assert abs((summary[name] < 0.05).mean() - 0.05) < 0.03
        assert (summary[name] < 0.005).mean() < 0.02  # by the normal law of the bias, more
    assert (summary["verdict"].isin(["no evidence", "too few"])).mean() > 0.99


def test_verdicts_rarely_speak_without_cause() -> None:
    table = [scored(150, 100 + i).assign(g=i % 6) for i in range(6 * 60)]
    wrong = 0
    for trial in range(60):
        df = pd.concat(table[6 * trial : 6 * trial + 6], ignore_index=True)
        df["g"] = np.repeat(np.arange(6), 150)
        summary = df.evals(y_true="y", y_score="p").calibration(by="g", band=None).summary
        wrong += (summary.loc[~summary["is_overall"], "verdict"] != "no evidence").any()
    assert wrong <= 8  # 60 × 5 % = 3 expected


# Several classes


@pytest.fixture(scope="module")
def cifar() -> Any:
    df = dfevals.datasets.load("cifar10")
    return df, df.evals(**dfevals.datasets.describe("cifar10").roles)


def test_kinds_of_curves_of_several_classes(cifar: Any) -> None:
    df, ev = cifar
    names = [f"p_{label}" for label in ev.labels]
    p = df[names].to_numpy()
    best, right = p.max(axis=1), np.array(ev.labels)[p.argmax(axis=1)] == df["label"].to_numpy()
    confidence = ev.calibration(strategy="uniform", bins=10).frame
    cell = np.clip(np.ceil(best * 10).astype(int) - 1, 0, 9)
    np.testing.assert_allclose(confidence["observed"], pd.Series(right).groupby(cell).mean())
    top = ev.calibration(kind="top-label", strategy="quantile").frame
    assert (
        top.groupby("class")["n"].sum().to_dict()
        == pd.Series(np.array(ev.labels)[p.argmax(axis=1)]).value_counts().to_dict()
    )
    each = ev.calibration(kind="class-wise", strategy="uniform", band="consistency").frame
    cat = each[each["class"] == "cat"]
    assert (cat["observed"] * cat["n"]).sum() == pytest.approx((df["label"] == "cat").sum())
    metric = ev.metrics(["ece_plugin", "ece"]).frame["value"]
    assert metric[0] == pytest.approx(ev.calibration().errors["ece_plugin"][0])
    assert metric[1] == pytest.approx(ev.calibration().summary["ece"][0])


# Shape, weights, bad input


def test_columns_and_cohorts() -> None:
    df = scored(600, 19).rename(columns={"y": "truth"})
    df.loc[:9, "g"] = None
    result = df.evals(y_true="truth", y_score="p").calibration(by="g")
    contract = ["bin", "score_mean", "observed", "ci_low", "ci_high", "n"]
    assert list(result.frame.columns)[:8] == ["g", "model", *contract]
    assert set(result.frame["g"]) == {"(overall)", "a", "b", "c", "<NA>"}
    assert result.frame.groupby("g")["n"].sum()["(overall)"] == 600
    assert result.summary["n"].tolist()[0] == 600
    assert result.frame["is_overall"].sum() == (result.frame["g"] == "(overall)").sum()
    assert result.histogram.groupby("g")["n"].sum()["(overall)"] == 600


def test_frequency_weights_repeat_rows() -> None:
    df = scored(400, 20, steep)
    weighted = df.evals(y_true="y", y_score="p", sample_weight="w", weight_kind="frequency")
    repeated = df.loc[df.index.repeat(df["w"])].evals(y_true="y", y_score="p")
    for strategy in ("corp", "quantile", "uniform", "smooth"):
        a, b = (ev.calibration(strategy=strategy, by="g") for ev in (weighted, repeated))
        pd.testing.assert_frame_equal(a.frame, b.frame, check_dtype=False)
        pd.testing.assert_frame_equal(a.summary, b.summary, check_dtype=False, rtol=1e-6)


def test_equal_weights_change_nothing_but_the_total() -> None:
    df = scored(500, 21, steep).assign(two=2.0)
    plain = df.evals(y_true="y", y_score="p").calibration(by="g", strategy="quantile")
    heavy = df.evals(y_true="y", y_score="p", sample_weight="two").calibration(by="g", strategy="uniform")
    even = df.evals(y_true="y", y_score="p").calibration(by="g", strategy="uniform")
    np.testing.assert_allclose(heavy.frame["ci_low"], even.frame["ci_low"])
    for name in ("ece", "ece_high", "spiegelhalter_z", "calibration_slope", "brier_miscalibration", "smooth_ece"):
        np.testing.assert_allclose(heavy.summary[name], plain.summary[name], rtol=1e-6, atol=1e-9)


def test_row_order_and_labels_do_not_matter() -> None:
    df = scored(700, 22).round({"p": 1})
    a = df.evals(y_true="y", y_score="p").calibration(by="g")
    b = df.sample(frac=1, random_state=0).assign(y=lambda d: d["y"].map({0: "no", 1: "yes"}))
    c = b.evals(y_true="y", y_score="p", pos_label="yes").calibration(by="g")
    pd.testing.assert_frame_equal(a.frame, c.frame)


def test_margins_are_refused_with_the_fix() -> None:
    df = scored(100, 23).assign(s=lambda d: logit(d["p"]))
    with pytest.raises(MetricError, match=r"outside \[0, 1\].*recalibrate\(method='sigmoid'\)"):
        df.evals(y_true="y", y_score="s").calibration()
    with pytest.raises(MetricError, match="labels only"):
        df.assign(h=df["y"]).evals(y_true="y", y_pred="h", task="binary").calibration()
    with pytest.raises(MetricError, match="residuals"):
        df.evals(y_true="s", y_pred="p").calibration()


def test_options_are_checked() -> None:
    ev = scored(100, 24).evals(y_true="y", y_score="p")
    with pytest.raises(MetricError, match=r"strategy.*uniform"):
        ev.calibration(strategy="unifrom")
    with pytest.raises(MetricError, match="bins=0"):
        ev.calibration(strategy="uniform", bins=0)
    with pytest.raises(MetricError, match="no bins to choose"):
        ev.calibration(bins=10)
    with pytest.raises(MetricError, match="binary score has one curve"):
        ev.calibration(kind="confidence")
    with pytest.raises(MetricError, match=r"bins=1\.5"):
        ev.metrics("ece(bins=1.5)")


@pytest.mark.parametrize("strategy", ["corp", "quantile", "uniform", "smooth"])
@pytest.mark.parametrize("band", ["consistency", "confidence", None])
def test_degenerate_cohorts_have_numbers_or_reasons(strategy: str, band: str | None) -> None:
    rng = np.random.default_rng(25)
    df = pd.DataFrame(
        {"y": (rng.random(400) < 0.5).astype(int), "p": rng.random(400), "g": np.repeat(list("abcd"), 100)}
    )
    df.loc[df["g"] == "a", "y"] = 1  # one class
    df.loc[df["g"] == "b", "p"] = 0.5  # one score
    df.loc[df["g"] == "c", "p"] = df["y"].astype(float)  # certain and right
    df.loc[300, "g"] = "lone"
    ev = df.evals(y_true="y", y_score="p")
    result = ev.calibration(by="g", strategy=strategy, band=band)
    numbers = result.summary.set_index("g")
    assert np.isnan(numbers.loc[["a", "b", "c", "lone"], "calibration_slope"]).all()
    assert numbers.loc["c", "ece_plugin"] == 0
    assert result.frame["observed"].between(0, 1).all()
    names = ["calibration_slope", "spiegelhalter_z", "calibration_in_the_large"]
    frame = ev.metrics(names, by="g").frame.set_index(["g", "metric"])
    assert frame.loc[("a", "calibration_slope"), "note"] == "only one class"
    assert frame.loc[("b", "calibration_slope"), "note"] == "one distinct score"
    assert frame.loc[("c", "calibration_slope"), "note"] == "the scores separate the classes"
    assert frame.loc[("b", "spiegelhalter_z"), "note"].startswith("all scores are 0")


def test_an_empty_selection_is_said() -> None:
    result = scored(50, 26).evals(y_true="y", y_score="p").where("p > 2").calibration()
    assert len(result.frame) == 0
    assert result.summary["verdict"].tolist() == ["too few"]


def test_results_can_be_repeated() -> None:
    ev = scored(300, 27).evals(y_true="y", y_score="p")
    a, b = (ev.calibration(random_state=3, n_resamples=50).frame for _ in range(2))
    pd.testing.assert_frame_equal(a, b)
    assert not a["ci_high"].equals(ev.calibration(random_state=4, n_resamples=50).frame["ci_high"])


def test_tallies_add_up() -> None:
    df = scored(600, 28, steep)
    names = ["ece", "smooth_ece", "calibration_slope", "brier_miscalibration"]
    a, b = (part.evals(y_true="y", y_score="p").collect(names, by="g") for part in (df[:250], df[250:]))
    whole = df.evals(y_true="y", y_score="p").metrics(names, by="g").frame
    pd.testing.assert_frame_equal((a + b).metrics().frame, whole)


def test_bootstrap_of_a_calibration_metric() -> None:
    ev = scored(200, 29, steep).evals(y_true="y", y_score="p")
    found = ev.metrics(
        ["smooth_ece", "brier_miscalibration"], interval="bootstrap", n_resamples=60, random_state=0
    ).frame
    assert (found["ci_low"] < found["ci_high"]).all()


def test_the_table_shows_verdicts_and_escapes_names() -> None:
    df = scored(300, 30)
    df["g"] = df["g"].replace({"a": "<script>alert(1)</script>"})
    result = df.evals(y_true="y", y_score="p").calibration(by="g")
    assert "<script>" not in result._repr_html_()
    assert "verdict" in str(result)
    assert "consistency bands" in str(result)


def test_models_are_compared_by_a_paired_bootstrap() -> None:
    df = scored(1500, 31).assign(squeezed=lambda d: expit(0.5 * logit(d["p"])))
    ev = df.evals(y_true="y", y_score={"right": "p", "timid": "squeezed"})
    frame = ev.compare("right", "timid", metrics=["smooth_ece", "ece_plugin"], n_resamples=99, random_state=0).frame
    assert (frame["ci_high"] < 0).all()
    assert frame["verdict"].tolist() == ["right", "right"]
    own = ev.metrics(["smooth_ece", "ece_plugin"]).frame.pivot(index="metric", columns="model", values="value")
    np.testing.assert_allclose(frame.set_index("metric")["value_a"], own.loc[frame["metric"], "right"])


# Bins counted without sorting


def hostile_scores(n: int, seed: int) -> pd.DataFrame:
    """Scores on the edges of bins, beside them, at both ends, and beyond 1 by rounding."""
    rng = np.random.default_rng(seed)
    edge = rng.choice(np.concatenate([np.linspace(0, 1, k + 1) for k in (7, 10, 15, 40)]), n)
    near = np.clip(np.nextafter(edge, rng.choice([-1.0, 2.0], n)), 0, 1)
    score = np.select([rng.random(n) < 0.4, rng.random(n) < 0.5], [edge, near], rng.random(n))
    score[:3] = [0.0, 1.0, 1.0 + 1e-9]
    weight = rng.integers(1, 4, n).astype(float)
    return pd.DataFrame({"y": (rng.random(n) < score) * 1, "p": score, "g": rng.choice(list("abc"), n), "w": weight})


@pytest.mark.parametrize("bins", [1, 7, 10, 15, 997])
@pytest.mark.parametrize("roles", [{}, {"sample_weight": "w"}, {"sample_weight": "w", "weight_kind": "frequency"}])
def test_counted_bins_are_those_of_sorted_scores(bins: int, roles: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    df = hostile_scores(6000, 40)
    ev = df.evals(y_true="y", y_score="p", **roles)
    by = {"all but a": "g != 'a'", "b": "g == 'b'", "high": "p > 0.5"}
    options: Any = {"strategy": "uniform", "bins": bins, "by": by}
    quick = ev.calibration(**options)
    monkeypatch.setattr("dfevals.analyses.calibration.calibration._edges", lambda run: ())
    slow = ev.calibration(**options)
    for name in ("frame", "errors", "histogram", "summary"):
        pd.testing.assert_frame_equal(getattr(quick, name), getattr(slow, name), rtol=1e-9, atol=1e-12)


def test_counted_bins_of_classes_are_those_of_sorted_scores(cifar: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, ev = cifar
    quick = ev.calibration(kind="class-wise", strategy="uniform", bins=5)
    monkeypatch.setattr("dfevals.analyses.calibration.calibration._edges", lambda run: ())
    slow = ev.calibration(kind="class-wise", strategy="uniform", bins=5)
    for name in ("frame", "errors", "histogram"):
        pd.testing.assert_frame_equal(getattr(quick, name), getattr(slow, name), rtol=1e-9, atol=1e-12)


def test_bin_tallies_add_up() -> None:
    df = hostile_scores(4000, 41)
    cell_of, label = Binning((0.1, 0.25, 0.25 + 1e-16, 0.9)), df["y"].to_numpy() == 1
    score, code = np.clip(df["p"].to_numpy(), 0, 1), pd.factorize(df["g"])[0]
    np.testing.assert_array_equal(cell_of(score), np.searchsorted(cell_of.edges, score))
    parts = []
    for rows in (slice(0, 1000), slice(1000, None), slice(None)):
        parts.append(BinTally.empty(cell_of.edges, 3))
        parts[-1].add(code[rows], cell_of(score[rows]), score[rows], label[rows], None, None)
    both = parts[0] + parts[1]
    for name in ("first", "second", "low", "high"):
        np.testing.assert_allclose(getattr(both, name), getattr(parts[2], name), rtol=1e-12)


def test_scores_beyond_one_by_rounding_count_as_one() -> None:
    # imdb: 1,002 of its scores are 1.00001
    roles = dfevals.datasets.describe("imdb").roles
    ev = dfevals.datasets.load("imdb").evals(**roles)
    names = ["spiegelhalter_z", "log_loss_miscalibration", "brier_miscalibration", "smooth_ece", "calibration_slope"]
    metrics = ev.metrics(names).frame["value"].to_numpy()
    result = ev.calibration(band=None)
    np.testing.assert_allclose(result.summary[names].iloc[0].to_numpy(float), metrics, rtol=1e-9)
    assert result.frame["score_max"].max() == 1


@pytest.mark.parametrize(("name", "model"), [("bank", "logistic"), ("bank", "forest"), ("adult", "gbm")])
@pytest.mark.parametrize("bins", [3, 10, 15])
def test_quantile_bins_are_those_of_scikit_learn_where_rows_lie_on_their_edges(
    name: str, model: str, bins: int
) -> None:
    roles = dfevals.datasets.describe(name).roles
    df = dfevals.datasets.load(name)
    y, score = df[roles["y_true"]] == roles["pos_label"], df[roles["y_score"][model]]
    observed, mean = calibration_curve(y, score, n_bins=bins, strategy="quantile")
    frame = df.evals(**roles).calibration(strategy="quantile", bins=bins, models=model).frame
    np.testing.assert_allclose(frame["observed"], observed, rtol=1e-12)
    np.testing.assert_allclose(frame["score_mean"], mean, rtol=1e-12)


def test_certain_scores_that_err_have_a_logistic_fit() -> None:
    # two scores: the fit is exact, logit of the observed rate at −L and at L, L the logit of 1 − ε
    df = pd.DataFrame(
        {"p": np.repeat([0.0, 1.0], [60, 40]), "y": np.r_[np.ones(6), np.zeros(54), np.ones(30), np.zeros(10)]}
    )
    line = df.evals(y_true="y", y_score="p").calibration(band=None).summary.iloc[0]
    end = float(logit(1 - np.finfo(float).eps))
    low, high = logit(0.1), logit(0.75)
    assert line["calibration_slope"] == pytest.approx((high - low) / (2 * end), rel=1e-6)
    assert line["calibration_intercept"] == pytest.approx((high + low) / 2, rel=1e-6)
    # σ(a − L) · 60 + σ(a + L) · 40 = 36
    assert line["calibration_in_the_large"] == pytest.approx(logit(0.9) - end, abs=1e-3)


def test_pools_are_those_of_scikit_learn_and_sums_those_of_whole_cohorts() -> None:
    from sklearn.isotonic import isotonic_regression

    from dfevals.tally import ScoreTally
    from dfevals.tally.ties import TieTable

    rng = np.random.default_rng(5)
    codes, score = np.sort(rng.integers(0, 7, 3000)), np.round(rng.random(3000), 2)
    codes[codes == 3] = 4  # one cohort has no rows
    label = rng.random(3000) < score
    ties = TieTable.of(ScoreTally.collect(codes, 7, score, label))
    starts = ties.pools()
    for cohort in np.unique(codes):
        part = slice(ties.offsets[cohort], ties.offsets[cohort + 1])
        fitted = isotonic_regression(ties.pos[part] / ties.n[part], sample_weight=ties.n[part])
        begins = np.flatnonzero(np.append(True, np.diff(fitted) > 1e-12))
        mine = starts[(starts >= part.start) & (starts < part.stop)] - part.start
        assert mine.tolist() == begins.tolist()
    for size in (7, 100, 10_000):
        added = np.zeros(7)
        for part, cohorts, first in ties.pieces(size):
            added[cohorts] += np.add.reduceat(ties.pos[part], first)
        np.testing.assert_allclose(added, np.bincount(codes, label, 7), rtol=1e-12)
    np.testing.assert_allclose(
        ties.add_up(lambda part: (ties.pos[part], ties.n[part]))[1], np.bincount(codes, minlength=7)
    )
