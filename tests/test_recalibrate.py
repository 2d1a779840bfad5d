"""Recalibration: maps against scikit-learn, cross-fitting, cohorts, and the comparison before and after."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

import dfevals
from dfevals.exceptions import MetricError
from dfevals.inference.calibrators import METHODS, fit_calibrator, fit_temperature


def scored(n: int, seed: int, slope: float = 0.5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    p = rng.beta(1.5, 1.5, n)
    y = (rng.random(n) < expit(0.4 + slope * logit(p))).astype(int)
    return pd.DataFrame({"y": y, "p": p, "g": rng.choice(["a", "b"], n)})


def test_sigmoid_and_isotonic_are_scikit_learns() -> None:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.calibration import CalibratedClassifierCV

    class Score(ClassifierMixin, BaseEstimator):
        def fit(self, x: Any, y: Any) -> Score:
            self.classes_ = np.array([0, 1])
            return self

        def predict(self, x: Any) -> Any:
            return (np.asarray(x)[:, 0] > 0).astype(int)

        def decision_function(self, x: Any) -> Any:
            return np.asarray(x)[:, 0]

    df = scored(1000, 0)
    margin = logit(df["p"].to_numpy())
    x, new, everything = margin[:, None], np.linspace(-3, 3, 50), np.arange(len(df))
    for method in ("sigmoid", "isotonic"):
        theirs = CalibratedClassifierCV(Score(), method=method, cv=[(everything, everything)]).fit(x, df["y"])
        mine = fit_calibrator(method, margin, df["y"].to_numpy(float), margin=True)
        np.testing.assert_allclose(mine(new), theirs.predict_proba(new[:, None])[:, 1], atol=2e-4)


def test_beta_is_a_logistic_regression_on_two_logs() -> None:
    import statsmodels.api as sm

    df = scored(2000, 1)
    p, y = df["p"].to_numpy(), df["y"].to_numpy(float)
    x = sm.add_constant(np.column_stack([np.log(p), -np.log(1 - p)]))
    theirs = sm.Logit(y, x).fit(disp=0).predict(x)
    np.testing.assert_allclose(fit_calibrator("beta", p, y)(p), theirs, atol=1e-5)


def test_temperature_minimises_the_log_loss() -> None:
    import statsmodels.api as sm

    df = scored(2000, 2)
    x, y = logit(df["p"].to_numpy()), df["y"].to_numpy(float)
    theirs = sm.Logit(y, x[:, None]).fit(disp=0).params[0]
    mine = fit_calibrator("temperature", df["p"].to_numpy(), y)
    assert logit(mine(np.array([0.9])))[0] / logit(0.9) == pytest.approx(theirs, rel=1e-6)
    both = np.column_stack([1 - df["p"], df["p"]])
    again = fit_temperature(both, df["y"].to_numpy())(both)[:, 1]
    np.testing.assert_allclose(again, mine(df["p"].to_numpy()), atol=1e-5)


def test_venn_abers_by_refitting_for_every_score() -> None:
    from sklearn.isotonic import IsotonicRegression

    rng = np.random.default_rng(3)
    s = rng.random(40).round(2)
    y = (rng.random(40) < s).astype(float)
    new = np.concatenate([rng.random(20), s[:5], [0.0, 1.0]])
    mine = fit_calibrator("venn-abers", s, y)(new)
    for score, value in zip(new, mine, strict=True):
        p0, p1 = (
            IsotonicRegression().fit(np.append(s, score), np.append(y, label)).predict([score])[0] for label in (0, 1)
        )
        assert value == pytest.approx(p1 / (1 - p0 + p1), abs=1e-9)


def test_venn_abers_of_many_scores_stays_close() -> None:
    df = scored(5000, 4)
    p, y = df["p"].to_numpy(), df["y"].to_numpy(float)
    new = np.linspace(0.05, 0.95, 30)
    close = fit_calibrator("isotonic", p, y)(new)
    assert np.abs(fit_calibrator("venn-abers", p, y)(new) - close).max() < 0.08


@pytest.mark.parametrize("method", METHODS)
def test_recalibration_repairs_steep_scores(method: str) -> None:
    df = scored(6000, 5)
    result = df.evals(y_true="y", y_score="p").recalibrate(method)
    column = f"p_{method.replace('-', '_')}"
    assert result.columns == {"p": column}
    assert result.data[column].between(0, 1).all()
    frame = result.frame.set_index("metric")
    for loss in ("log_loss", "brier"):
        assert frame.loc[loss, "ci_high"] < 0
        assert frame.loc[loss, "p_value"] < 1e-6
    if method != "temperature":  # which cannot repair scores that are too low throughout
        assert frame.loc["ece", "after"] < frame.loc["ece", "before"] / 2
    if method != "isotonic":
        assert abs(frame.loc["calibration_slope", "after"] - 1) < 0.1


def test_before_and_after_are_the_metrics() -> None:
    df = scored(800, 6)
    result = df.evals(y_true="y", y_score="p").recalibrate("sigmoid", by="g")
    names = ["log_loss", "brier", "ece", "smooth_ece", "calibration_slope", "spiegelhalter_z", "brier_miscalibration"]
    ev = result.data.evals(y_true="y", y_score={"before": "p", "after": "p_sigmoid"})
    values = ev.metrics(names, by="g").frame.set_index(["g", "metric", "model"])["value"]
    mine = result.frame.set_index(["g", "metric"])
    for group in ("(overall)", "a", "b"):
        for name in names:
            for stage in ("before", "after"):
                assert mine.loc[(group, name), stage] == pytest.approx(values[(group, name, stage)], abs=1e-9)


def test_paired_interval_is_a_t_interval() -> None:
    from scipy.stats import ttest_1samp

    df = scored(500, 7)
    result = df.evals(y_true="y", y_score="p").recalibrate("beta")
    data = result.data
    d = (data["p_beta"] - data["y"]) ** 2 - (data["p"] - data["y"]) ** 2
    row = result.frame.set_index("metric").loc["brier"]
    theirs = ttest_1samp(d, 0)
    assert row["p_value"] == pytest.approx(theirs.pvalue)
    low, high = theirs.confidence_interval()
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high))


def test_no_row_is_judged_by_a_map_that_saw_it() -> None:
    # Pure noise: a map that saw its rows would seem to gain; a cross-fitted one does not.
    rng = np.random.default_rng(8)
    df = pd.DataFrame({"y": rng.integers(0, 2, 400), "p": rng.random(400)})
    isotonic = df.evals(y_true="y", y_score="p").recalibrate("isotonic").data["p_isotonic"]
    cheat = fit_calibrator("isotonic", df["p"].to_numpy(), df["y"].to_numpy(float))(df["p"].to_numpy())
    assert ((cheat - df["y"]) ** 2).mean() < 0.25
    assert ((isotonic - df["y"]) ** 2).mean() > 0.25


def test_rows_of_a_cluster_stay_together() -> None:
    df = scored(600, 9).assign(c=lambda d: d.index // 6)
    df["p"] = df.groupby("c")["p"].transform("first")
    result = df.evals(y_true="y", y_score="p", cluster="c").recalibrate("isotonic")
    assert (result.data.groupby("c")["p_isotonic"].nunique() == 1).all()


def test_a_map_per_cohort_repairs_opposite_errors() -> None:
    rng = np.random.default_rng(10)
    df = scored(6000, 10)
    shift = np.where(df["g"] == "a", 1.0, -1.0)
    df["y"] = (rng.random(len(df)) < expit(logit(df["p"]) + shift)).astype(int)
    ev = df.evals(y_true="y", y_score="p")
    apart = ev.recalibrate("sigmoid", by="g").frame
    together = ev.recalibrate("sigmoid").data.evals(y_true="y", y_score="p_sigmoid").metrics("ece", by="g").frame
    after = apart[(apart["metric"] == "ece") & ~apart["is_overall"]]["after"]
    assert after.max() < 0.05 < together["value"][1:].min()


def test_small_cohorts_share_the_map_of_all_with_a_warning() -> None:
    df = scored(1000, 11)
    df.loc[:29, "g"] = "rare"
    with pytest.warns(UserWarning, match=r"Too few rows.*rare"):
        result = df.evals(y_true="y", y_score="p").recalibrate("isotonic", by="g")
    assert any("rare" in note for note in result.notes)
    assert result.data["p_isotonic"].notna().all()


def test_margins_become_probabilities() -> None:
    df = scored(2000, 12).assign(s=lambda d: 3 * logit(d["p"]))
    ev = df.evals(y_true="y", y_score="s")
    for method in ("sigmoid", "isotonic", "venn-abers"):
        result = ev.recalibrate(method)
        again = result.data.evals(y_true="y", y_score=result.columns["s"])
        assert again.metrics("ece").frame["ci_low"][0] == pytest.approx(0, abs=0.01)
        assert result.frame["before"].isna().all()
    with pytest.raises(MetricError, match="sigmoid"):
        ev.recalibrate("beta")


def test_several_classes() -> None:
    df = dfevals.datasets.load("cifar10").head(4000)
    ev = df.evals(y_true="label", y_score="p_{label}")
    for method in ("temperature", "isotonic"):
        result = ev.recalibrate(method, cv=3)
        new = [f"p_{label}_{method}" for label in ev.labels]
        assert result.columns["p"] == new
        np.testing.assert_allclose(result.data[new].sum(axis=1), 1)
        frame = result.frame.set_index("metric")
        assert frame.loc["ece", "after"] < frame.loc["ece", "before"]
        if method == "temperature":  # isotonic maps give some classes a probability of 0
            assert frame.loc["log_loss", "ci_high"] < 0
    assert result.wide().shape[0] == 1


def test_missing_scores_stay_missing_and_are_counted() -> None:
    df = scored(300, 13)
    df.loc[[3, 7], "p"] = np.nan
    result = df.evals(y_true="y", y_score="p").recalibrate("sigmoid")
    assert result.data["p_sigmoid"].isna().sum() == 2
    assert any("2 missing y_score" in note for note in result.notes)
    assert result.frame["n"].max() == 298


def test_names_of_new_columns_do_not_clash() -> None:
    df = scored(300, 14).assign(p_sigmoid=0)
    result = df.evals(y_true="y", y_score="p").recalibrate("sigmoid")
    assert result.columns == {"p": "p_sigmoid_2"}
    assert (result.data["p_sigmoid"] == 0).all()


def test_bad_requests_name_the_fix() -> None:
    df = scored(200, 15)
    ev = df.evals(y_true="y", y_score="p")
    with pytest.raises(MetricError, match="isotonic"):
        ev.recalibrate("isotonik")
    with pytest.raises(MetricError, match="cv=1"):
        ev.recalibrate(cv=1)
    with pytest.raises(MetricError, match="at least 5 rows of each"):
        df.assign(y=0).evals(y_true="y", y_score="p", labels=[0, 1]).recalibrate()
    with pytest.raises(MetricError, match="overlap"):
        ev.recalibrate(by={"low": "p < 0.6", "high": "p > 0.4"})


def test_weights_enter_as_repeated_rows() -> None:
    df = scored(300, 16).assign(w=lambda d: 1 + d.index % 3)
    ev = df.evals(y_true="y", y_score="p", sample_weight="w", weight_kind="frequency")
    frame = ev.recalibrate("sigmoid").frame.set_index("metric")
    repeated = df.loc[df.index.repeat(df["w"])].evals(y_true="y", y_score="p").metrics(["brier", "ece"]).frame
    assert frame.loc["brier", "before"] == pytest.approx(repeated["value"][0])
    assert frame.loc["ece", "before"] == pytest.approx(repeated["value"][1])


def test_copies_of_rows_do_not_narrow_the_gain_where_clusters_name_them() -> None:
    rng = np.random.default_rng(3)
    single = pd.DataFrame({"id": np.arange(300), "y": rng.integers(0, 2, 300)})
    single["p"] = 1 / (1 + np.exp(-3 * (single["y"] - 0.5) - 2 * rng.normal(size=300)))
    copies = pd.concat([single] * 6, ignore_index=True)

    def width(frame: pd.DataFrame, **roles: str) -> pd.Series:
        found = frame.evals(y_true="y", y_score="p", **roles).recalibrate("sigmoid", random_state=0).frame
        found = found.set_index("metric").loc[["brier", "log_loss", "calibration_slope"]]
        return found["ci_high"].fillna(found["after_high"]) - found["ci_low"].fillna(found["after_low"])

    ratio = width(copies, cluster="id") / width(single)
    assert ratio.between(0.85, 1.2).all(), ratio
    assert (width(copies) < 0.6 * width(single)).all()


def test_counts_of_rows_give_the_interval_of_the_rows_written_out() -> None:
    from dfevals.analyses.calibration.recalibrate import _Event, _paired

    rng = np.random.default_rng(4)
    times, before, after = rng.integers(1, 5, 80), rng.random(80), rng.random(80)
    place, inside = np.zeros(80, np.int64), np.ones(80, bool)
    counted = _paired(before, after, _Event(before, before > 0.5, times * 1.0, True), place, inside, 1, 0.95)
    out = [np.repeat(x, times) for x in (before, after, place, inside)]
    written = _paired(*out[:2], _Event(out[0], out[0] > 0.5, None, False), *out[2:], 1, 0.95)
    for name in ("difference", "ci_low", "ci_high", "p_value"):
        assert counted[name][0] == pytest.approx(written[name][0])
