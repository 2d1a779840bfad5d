"""Comparisons against independent libraries, by brute force, and the size of every test on simulated data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score, matthews_corrcoef, roc_auc_score

import dfevals
from dfevals.analyses.compare.aligned import ViewRows, align, contenders
from dfevals.analyses.compare.influence import influence
from dfevals.analyses.compare.mix import kitagawa
from dfevals.exceptions import DataError, DfevalsError, MetricError, RoleError
from dfevals.metrics.registry import find

ROLES = {"y_true": "income", "y_score": {"gbm": "p_gbm", "logistic": "p_logistic"}, "pos_label": ">50K"}

BANK = {
    "y_true": "y",
    "pos_label": "yes",
    "y_score": {"logistic": "p_logistic", "gbm": "p_gbm", "forest": "p_forest"},
}


def simulated(n: int, groups: int, seed: int = 0, *, effect: float = 0.0, clusters: int = 0) -> pd.DataFrame:
    """Two scores of equal quality (or one better by `effect`) in many cohorts of n rows."""
    rng = np.random.default_rng(seed)
    total = n * groups
    y = (rng.random(total) < 0.4).astype(int)
    shared, frame = rng.normal(size=total), {}
    noise = [0.8 * rng.normal(size=total) for _ in range(2)]
    if clusters:
        code = np.repeat(np.arange(total // clusters), clusters)
        noise = [x + 0.8 * rng.normal(size=total // clusters)[code] for x in noise]
        frame["unit"] = code
    for name, x, extra in (("a", noise[0], effect), ("b", noise[1], 0.0)):
        frame[name] = 1 / (1 + np.exp(-((2 + extra) * (y - 0.5) + 0.8 * shared + x)))
    return pd.DataFrame({"g": np.repeat(np.arange(groups), n), "y": y, **frame})


def evaluation(frame: pd.DataFrame, **roles: object) -> dfevals.Evaluation:
    return frame.evals(y_true="y", y_score={"a": "a", "b": "b"}, **roles)


@pytest.fixture(scope="module")
def adult() -> pd.DataFrame:
    return dfevals.datasets.load("adult")


@pytest.fixture(scope="module")
def small() -> pd.DataFrame:
    return simulated(80, 3, seed=5, effect=0.8)


class TestPaired:
    def test_accuracy_is_the_score_test_and_by_name_mcnemars_mid_p_of_statsmodels(self, adult: pd.DataFrame) -> None:
        from scipy.stats import binom
        from statsmodels.stats.contingency_tables import mcnemar

        ev = adult.evals(**ROLES)
        frame = ev.compare("gbm", "logistic", by="race", metrics="accuracy").frame
        by_name = ev.compare("gbm", "logistic", by="race", metrics="accuracy", test="mcnemar").frame
        truth = (adult["income"] == ">50K").to_numpy()
        right = [((adult[c] >= 0.5).to_numpy() == truth) for c in ("p_gbm", "p_logistic")]
        for row, named in zip(frame.to_dict("records"), by_name.to_dict("records"), strict=True):
            part = (
                np.ones(len(adult), bool)
                if row["is_overall"]
                else (adult["race"].astype(str) == row["race"]).to_numpy()
            )
            b, c = (right[0] & ~right[1] & part).sum(), (right[1] & ~right[0] & part).sum()
            exact = mcnemar([[0, b], [c, 0]], exact=True).pvalue
            mid_p = min(exact - binom.pmf(min(b, c), b + c, 0.5), 1)
            assert named["p_value"] == pytest.approx(mid_p, rel=1e-9, abs=1e-300)
            score = mcnemar([[0, b], [c, 0]], exact=False, correction=False)
            assert row["p_value"] == pytest.approx(score.pvalue, rel=1e-6, abs=1e-300)
            assert row["statistic"] ** 2 == pytest.approx(score.statistic)
            assert (row["test"], named["test"]) == ("Tango score", "McNemar, mid-p")
            assert row["difference"] == pytest.approx((b - c) / part.sum())
            assert row["value_a"] == pytest.approx(right[0][part].mean())
            assert row["n"] == part.sum()

    def test_recall_is_tested_within_the_positives(self, small: pd.DataFrame) -> None:
        from dfevals.inference import paired_proportions

        row = evaluation(small).compare(metrics="recall").frame.iloc[0]
        positive = small[small["y"] == 1]
        hit = [(positive[c] >= 0.5).to_numpy() for c in ("a", "b")]
        test = paired_proportions((hit[0] & ~hit[1]).sum(), (hit[1] & ~hit[0]).sum(), len(positive))
        assert (row["p_value"], row["ci_low"], row["ci_high"]) == (test.p_value, test.ci_low, test.ci_high)

    @pytest.mark.parametrize("pairs", [(5, 0), (7, 1), (12, 4), (4, 2), (0, 0)])
    @pytest.mark.parametrize("test", ["auto", "tango", "mcnemar", "mcnemar-exact", "mcnemar-chi2-cc"])
    def test_a_paired_rate_and_its_p_never_disagree_about_0(self, pairs: tuple[int, int], test: str) -> None:
        b, c = pairs
        frame = pd.DataFrame({"y": 1, "a": 1, "b": 1}, index=range(60))
        frame.loc[: b - 1, "b"], frame.loc[b : b + c - 1, "a"] = 0, 0
        ev = frame.evals(y_true="y", y_pred={"a": "a", "b": "b"}, labels=[0, 1], pos_label=1)
        for row in ev.compare("a", "b", metrics=["accuracy", "recall", "error_rate"], test=test).frame.to_dict(
            "records"
        ):
            excludes = row["ci_low"] > 0 or row["ci_high"] < 0
            assert excludes == (row["p_value"] <= 0.05) == (row["verdict"] == "a")
            assert row["ci_low"] <= row["difference"] <= row["ci_high"]
            if test in ("auto", "tango"):
                assert excludes == ((b, c) in [(5, 0), (7, 1), (12, 4)])

    def test_auc_is_delong_and_gini_twice_that(self, small: pd.DataFrame) -> None:
        from dfevals.inference import delong

        frame = evaluation(small).compare(metrics=["roc_auc", "gini"]).frame
        test = delong(small["y"], small["a"], small["b"])
        assert frame["p_value"].tolist() == pytest.approx([test.p_value] * 2)
        assert frame["difference"].tolist() == pytest.approx([test.estimate, 2 * test.estimate])
        assert frame["value_a"].iloc[1] == pytest.approx(2 * roc_auc_score(small["y"], small["a"]) - 1)

    def test_losses_are_paired_t_of_scipy(self, small: pd.DataFrame) -> None:
        from scipy.stats import ttest_rel, wilcoxon

        loss = [-np.log(np.where(small["y"] == 1, small[c], 1 - small[c])) for c in ("a", "b")]
        ev = evaluation(small)
        row = ev.compare(metrics="log_loss").frame.iloc[0]
        assert (row["statistic"], row["p_value"]) == pytest.approx(tuple(ttest_rel(*loss)))
        by_name = ev.compare(metrics="log_loss", test="wilcoxon").frame.iloc[0]
        assert by_name["p_value"] == pytest.approx(wilcoxon(loss[0] - loss[1], method="approx").pvalue, rel=1e-6)
        flipped = ev.compare(metrics="log_loss", test="sign-flip", n_resamples=4999).frame.iloc[0]
        assert flipped["p_value"] == pytest.approx(row["p_value"], abs=0.02)

    def test_cohorts_equal_the_comparison_of_their_rows(self, small: pd.DataFrame) -> None:
        metrics = ["accuracy", "f1", "mcc", "roc_auc", "average_precision", "ks", "log_loss", "balanced_accuracy"]
        ev = evaluation(small)
        whole = ev.compare(by="g", metrics=metrics).frame
        for group in ("0", "2"):
            part = ev.where(f"g == {group}").compare(metrics=metrics).frame
            both = whole[whole["g"] == group]
            for name in ("value_a", "difference", "ci_low", "p_value", "statistic"):
                np.testing.assert_allclose(both[name], part[name], rtol=1e-9)

    def test_overlapping_cohorts(self, small: pd.DataFrame) -> None:
        frame = evaluation(small).compare(by={"low": "g < 2", "high": "g > 0"}, metrics="accuracy").frame
        low = evaluation(small[small["g"] < 2]).compare(metrics="accuracy").frame
        assert frame.loc[frame["cohort"] == "low", "p_value"].item() == pytest.approx(low["p_value"].item())

    @pytest.mark.parametrize("metric", ["f1", "mcc", "average_precision", "rmse_like"])
    def test_delta_agrees_with_the_paired_bootstrap(self, small: pd.DataFrame, metric: str) -> None:
        if metric == "rmse_like":
            metric = "brier"
        ev = evaluation(small)
        delta = ev.compare(metrics=metric, test="delta").frame.iloc[0]
        boot = ev.compare(metrics=metric, test="bootstrap", n_resamples=400, random_state=1).frame.iloc[0]
        assert boot["value_a"] == pytest.approx(delta["value_a"])
        assert boot["ci_high"] - boot["ci_low"] == pytest.approx(delta["ci_high"] - delta["ci_low"], rel=0.25)
        assert ev.compare(metrics=metric, test="bootstrap", n_resamples=50, random_state=1).frame["p_value"].item() == (
            ev.compare(metrics=metric, test="bootstrap", n_resamples=50, random_state=1).frame["p_value"].item()
        )

    def test_callables_and_medians_are_bootstrapped_as_pairs(self) -> None:
        rng = np.random.default_rng(0)
        y = rng.normal(size=200)
        frame = pd.DataFrame({"y": y, "a": y + rng.normal(size=200) * 0.3, "b": y + rng.normal(size=200)})
        result = frame.evals(y_true="y", y_pred={"a": "a", "b": "b"}, task="regression").compare(
            metrics=["median_ae", "rmse", "r2"], n_resamples=200
        )
        assert result.frame["verdict"].tolist() == ["a", "a", "a"]
        assert result.frame["value_a"].iloc[0] == pytest.approx(np.median(np.abs(frame["a"] - y)))

    def test_multiclass_averages_match_scikit_learn(self) -> None:
        hpc = dfevals.datasets.load("hpc_cv")
        rng = np.random.default_rng(0)
        hpc["other"] = np.where(rng.random(len(hpc)) < 0.2, "F", hpc["pred"])
        ev = hpc.evals(y_true="obs", y_pred={"model": "pred", "other": "other"})
        frame = ev.compare(metrics=["f1", "f1_weighted", "recall_micro", "accuracy"]).frame
        for column, name in (("value_a", "pred"), ("value_b", "other")):
            expected = [f1_score(hpc["obs"], hpc[name], average=kind) for kind in ("macro", "weighted")]
            assert frame[column].tolist()[:2] == pytest.approx(expected)
        # micro recall is accuracy, so its test is too
        assert frame["p_value"].iloc[2] == frame["p_value"].iloc[3]

    def test_rows_missing_in_one_model_are_left_out_for_both(self, small: pd.DataFrame) -> None:
        holes = small.copy()
        holes.loc[:9, "a"] = np.nan
        result = evaluation(holes).compare(metrics=["accuracy", "roc_auc"])
        reference = evaluation(small.iloc[10:]).compare(metrics=["accuracy", "roc_auc"])
        assert result.frame["n"].tolist() == [230, 230]
        np.testing.assert_allclose(result.frame["p_value"], reference.frame["p_value"])
        assert any("10 rows left out" in note for note in result.notes)

    def test_same_predictions_are_no_evidence(self, small: pd.DataFrame) -> None:
        frame = small.assign(b=small["a"])
        result = evaluation(frame).compare(metrics=["accuracy", "f1", "roc_auc", "log_loss", "average_precision"]).frame
        assert (result["p_value"] == 1).all()
        assert (result["verdict"] == "no evidence").all()
        assert (result["difference"] == 0).all()


class TestInfluence:
    @pytest.mark.parametrize(
        "metric", ["f1", "mcc", "roc_auc", "average_precision", "gini", "log_loss", "brier_skill_score"]
    )
    def test_influence_is_the_derivative_by_the_weight(self, small: pd.DataFrame, metric: str) -> None:
        frame = small.assign(a=small["a"].round(1).clip(0.05, 0.95))  # ties
        bound = evaluation(frame)._bound
        rows = align(bound, contenders(bound))
        assert not isinstance(rows, str)
        view = ViewRows.of_view(rows, np.zeros(len(frame), np.int64), None, 1)
        try:
            request = find(metric)
        except MetricError:
            request = find("brier")
        base = influence(request, view, 0, padded=False)
        for i in (0, 17, 101):
            weight = np.ones(len(frame))
            weight[i] += 1e-6
            moved = influence(request, view, 0, weight=weight, padded=False)
            assert (moved.value[0] - base.value[0]) / 1e-6 == pytest.approx(base.rows[i], rel=1e-3, abs=1e-7)

    def test_average_precision_with_ties_is_scikit_learns(self, small: pd.DataFrame) -> None:
        rounded = small.assign(a=small["a"].round(1))
        frame = evaluation(rounded).compare(by="g", metrics="average_precision").frame
        for group, part in rounded.groupby("g"):
            value = frame.loc[frame["g"] == str(group), "value_a"].item()
            assert value == pytest.approx(average_precision_score(part["y"], part["a"]))


METRICS = [
    "accuracy",
    "recall",
    "precision",
    "f1",
    "balanced_accuracy",
    "mcc",
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
]


class TestSize:
    @pytest.mark.parametrize(("n", "groups"), [(30, 2000), (100, 2000), (1000, 400)])
    def test_no_test_finds_more_than_its_level(self, n: int, groups: int) -> None:
        frame = evaluation(simulated(n, groups, seed=n)).compare(by="g", metrics=METRICS, correction=None).frame
        cohorts = frame[~frame["is_overall"]]
        found = cohorts["verdict"].isin(["a", "b"]).groupby(cohorts["metric"]).mean()
        assert found.max() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / groups)
        if n >= 100:
            assert found[["accuracy", "f1", "roc_auc", "log_loss"]].min() >= 0.03

    def test_clustered_rows(self) -> None:
        frame = simulated(100, 1000, seed=3, clusters=5)
        naive = (
            evaluation(frame.drop(columns="unit"))
            .compare(by="g", metrics=["log_loss", "roc_auc"], correction=None)
            .frame
        )
        robust = (
            evaluation(frame, cluster="unit")
            .compare(by="g", metrics=["log_loss", "roc_auc", "accuracy"], correction=None)
            .frame
        )
        rate = (robust["p_value"] < 0.05).groupby(robust["metric"]).mean()
        assert rate.max() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)
        assert (naive["p_value"] < 0.05).mean() > 0.062

    def test_family_wise_and_false_discovery_rates(self) -> None:
        families = [evaluation(simulated(60, 40, seed=s)).compare(by="g", metrics="log_loss") for s in range(120)]
        false = np.mean([r.frame["verdict"][1:].isin(["a", "b"]).any() for r in families])
        assert false <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 120)

    def test_power_matches_the_plan(self) -> None:
        frame = simulated(400, 600, seed=8, effect=0.5)
        result = evaluation(frame).compare(by="g", metrics="accuracy", correction=None)
        counts = result.discordant.iloc[0]
        planned = dfevals.inference.power(
            "proportion", n=400, difference=(counts["fixed"] - counts["broken"]) / counts["n"],
            discordance=(counts["fixed"] + counts["broken"]) / counts["n"],
        ).power  # fmt: skip
        assert (result.frame["p_value"][1:] < 0.05).mean() == pytest.approx(planned, abs=0.06)


class TestWeightsAndClusters:
    def test_a_cluster_of_copies_counts_once(self, small: pd.DataFrame) -> None:
        copies = pd.concat([small.assign(unit=range(len(small)))] * 3, ignore_index=True)
        metrics = ["accuracy", "f1", "roc_auc", "log_loss"]
        once = evaluation(small).compare(metrics=metrics, test="delta").frame
        clustered = evaluation(copies, cluster="unit").compare(metrics=metrics).frame
        np.testing.assert_allclose(clustered["difference"], once["difference"])
        np.testing.assert_allclose(clustered["statistic"], once["statistic"], rtol=0.02)
        assert clustered["test"].str.contains("cluster-robust").all()

    def test_frequency_weights_are_repetitions(self, small: pd.DataFrame) -> None:
        times = np.random.default_rng(0).integers(1, 4, len(small))
        repeated = small.loc[small.index.repeat(times)].reset_index(drop=True)
        weighted = evaluation(small.assign(w=times), sample_weight="w", weight_kind="frequency")
        for metric in ("accuracy", "recall"):
            a = weighted.compare(metrics=metric).frame.iloc[0]
            b = evaluation(repeated).compare(metrics=metric).frame.iloc[0]
            assert (a["difference"], a["p_value"]) == pytest.approx((b["difference"], b["p_value"]))

    @pytest.mark.parametrize("metric", ["ece", "smooth_ece", "brier_miscalibration", "median_ae"])
    def test_metrics_of_rows_count_frequencies_as_rows_written_out(self, metric: str) -> None:
        from sklearn.metrics import median_absolute_error

        rng = np.random.default_rng(4)
        frame = simulated(500, 1, seed=4).assign(w=rng.integers(0, 5, 500), g=rng.choice(["u", "v"], 500))
        models: dict[str, object] = {"y_score": {"a": "a", "b": "b"}}
        if metric == "median_ae":
            frame = frame.assign(y=rng.normal(size=500))
            models = {"y_pred": {"a": "a", "b": "b"}, "task": "regression"}
        long = frame.loc[frame.index.repeat(frame["w"])].reset_index(drop=True)
        counted = frame.evals(y_true="y", **models, sample_weight="w", weight_kind="frequency")
        found, right = (
            e.compare("a", "b", metrics=metric, by="g", n_resamples=99)
            for e in (counted, long.evals(y_true="y", **models))
        )
        columns = ["value_a", "value_b", "difference", "ci_low", "ci_high", "p_value", "n"]
        np.testing.assert_allclose(found.frame[columns], right.frame[columns], rtol=1e-9, atol=1e-12)
        assert found.frame["n"].tolist()[0] == len(long)
        if metric == "median_ae":
            assert found.frame["value_a"][0] == pytest.approx(median_absolute_error(long["y"], long["a"]))

    def test_metrics_of_rows_keep_importance_weights_and_clusters(self) -> None:
        frame = simulated(600, 1, seed=5).assign(w=np.random.default_rng(5).exponential(size=600))
        weighted = evaluation(frame, sample_weight="w")
        found = weighted.compare("a", "b", metrics="ece", n_resamples=99).frame.iloc[0]
        single = weighted.metrics("ece").frame.set_index("model")["value"]
        assert (found["value_a"], found["value_b"]) == pytest.approx((single["a"], single["b"]))

    def test_metrics_of_rows_draw_clusters_whole(self) -> None:
        once = simulated(150, 1, seed=6)
        copies = pd.concat([once.assign(unit=range(150))] * 4, ignore_index=True)
        a = evaluation(once).compare("a", "b", metrics=["ece", "smooth_ece"], n_resamples=400).frame
        b = evaluation(copies, cluster="unit").compare("a", "b", metrics=["ece", "smooth_ece"], n_resamples=400).frame
        rows = evaluation(copies).compare("a", "b", metrics=["ece", "smooth_ece"], n_resamples=400).frame
        width, alone, blind = (f["ci_high"] - f["ci_low"] for f in (b, a, rows))
        np.testing.assert_allclose(width, alone, rtol=0.25)
        assert (blind < 0.75 * width).all()
        single = evaluation(copies, cluster="unit").metrics(["ece", "smooth_ece"]).frame
        np.testing.assert_allclose(b["value_a"], single[single["model"] == "a"]["value"])
        assert b["note"].str.contains("clusters are resampled").all()


class TestVerdicts:
    def test_margin_gives_equivalence(self) -> None:
        frame = simulated(4000, 1, seed=2)
        result = evaluation(frame).compare(metrics=["accuracy", "roc_auc"], margin=0.05).frame
        assert result["verdict"].tolist() == ["equivalent", "equivalent"]
        only = evaluation(frame).compare(metrics=["accuracy", "roc_auc"], margin={"accuracy": 0.05}).frame
        assert only["verdict"].tolist() == ["equivalent", "no evidence"]

    def test_equal_decisions_are_equivalent_only_where_the_interval_lies_inside_the_margin(self) -> None:
        metrics = [
            "accuracy",
            "f1",
            "mcc",
            "roc_auc",
            "gini",
            "average_precision",
            "ks",
            "log_loss",
            "balanced_accuracy",
        ]
        for n, margin in ((24, 1e-6), (24, 0.1), (4000, 0.05)):
            frame = simulated(n, 1, seed=2)
            ev = frame.assign(b=frame["a"]).evals(y_true="y", y_score={"a": "a", "b": "b"})
            result = ev.compare("a", "b", metrics=metrics, margin=margin).frame.set_index("metric")
            inside = (result["ci_low"] > -margin) & (result["ci_high"] < margin)
            assert ((result["verdict"] == "equivalent") == inside).all()
            assert inside.any() == (n == 4000)
            assert (result["p_value"] == 1).all()
        counted = result.loc[["accuracy", "f1", "mcc", "roc_auc", "gini", "ks", "balanced_accuracy"]]
        assert (counted["verdict"] == "equivalent").all()
        rule = 1.96**2 / 4000
        assert result.loc["accuracy", "ci_high"] == pytest.approx(rule, rel=0.01)
        assert rule < result.loc["f1", "ci_high"] < result.loc["roc_auc", "ci_high"] < 4 * rule

    @pytest.mark.parametrize("share", [0.01, 0.2])
    def test_rare_positives_are_not_equivalent_at_the_margin(self, share: float) -> None:
        # b misses some of the positives that a finds; with few positives most samples show no difference at all
        def drawn(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            y = rng.random(n) < 0.02
            a = np.where(y, rng.random(n) < 0.7, rng.random(n) < 0.01)
            return y, a, a & ~(y & (rng.random(n) < share))

        y, a, b = drawn(1_000_000, np.random.default_rng(0))
        true = {"f1": f1_score(y, a) - f1_score(y, b), "mcc": matthews_corrcoef(y, a) - matthews_corrcoef(y, b)}
        y, a, b = drawn(150_000, np.random.default_rng(1))
        frame = pd.DataFrame({"y": y, "a": a, "b": b, "g": np.arange(150_000) // 1000}).astype(int)
        ev = frame.evals(y_true="y", y_pred={"a": "a", "b": "b"})
        found = ev.compare("a", "b", by="g", metrics=["f1", "mcc"], correction=None, margin=true).frame
        found = found[~found["is_overall"]].assign(true=lambda f: f["metric"].map(true))
        assert (found["verdict"] == "equivalent").mean() <= 0.05
        assert ((found["ci_low"] <= found["true"]) & (found["true"] <= found["ci_high"])).mean() >= 0.95

    @pytest.mark.parametrize("test", ["bootstrap", "wilcoxon", "sign-flip", "t"])
    def test_tests_by_name_agree_with_their_intervals_about_0(self, test: str) -> None:
        frame = simulated(40, 30, seed=8, effect=0.9)
        found = evaluation(frame).compare("a", "b", by="g", metrics="brier", test=test, n_resamples=199).frame
        excludes = (found["ci_low"] > 0) | (found["ci_high"] < 0)
        assert (excludes == (found["p_value"] <= 0.05)).all()
        assert 0.05 < excludes.mean() < 0.95

    @pytest.mark.parametrize(("metric", "test"), [("f1", "auto"), ("accuracy", "bootstrap"), ("roc_auc", "auto")])
    def test_few_clusters_are_too_few_and_say_how_many_they_are_worth(self, metric: str, test: str) -> None:
        frame = simulated(400, 1, seed=3, effect=1.5, clusters=2)
        frame["unit"] = np.minimum(frame["unit"] // 10, 19) * (frame.index >= 160)
        found = evaluation(frame, cluster="unit").compare(metrics=metric, test=test, n_resamples=99).frame.iloc[0]
        worth = float(found["note"].split("worth ")[1].split()[0])
        assert 3 < worth < 10
        assert frame["unit"].nunique() == 13
        assert found["verdict"] == "too few"

    def test_false_equivalence_keeps_its_level(self) -> None:
        frame = simulated(200, 800, seed=4, effect=0.6)
        result = evaluation(frame).compare(by="g", metrics="log_loss", correction=None)
        true = abs(result.frame["difference"].iloc[0])
        again = evaluation(frame).compare(by="g", metrics="log_loss", correction=None, margin=float(true))
        assert (again.frame["verdict"][1:] == "equivalent").mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 800)

    def test_correction_is_holm_over_the_cohorts(self, adult: pd.DataFrame) -> None:
        ev = adult.evals(**ROLES)
        for name, function in (("holm", dfevals.inference.holm), ("bh", dfevals.inference.benjamini_hochberg)):
            frame = ev.compare("gbm", "logistic", by="race", metrics=["accuracy", "recall"], correction=name).frame
            for _, part in frame[~frame["is_overall"]].groupby("metric"):
                np.testing.assert_allclose(part["p_corrected"], function(part["p_value"]))
            overall = frame[frame["is_overall"]]
            assert (overall["p_corrected"] == overall["p_value"]).all()

    def test_few_rows_are_too_few(self) -> None:
        frame = pd.concat([simulated(200, 1, 0), simulated(5, 1, 1).assign(g=9)], ignore_index=True)
        result = evaluation(frame).compare(by="g", metrics=["accuracy", "roc_auc", "f1", "log_loss"]).frame
        few = result[result["g"] == "9"]
        assert (few["verdict"] == "too few").all()
        assert few["p_corrected"].isna().all()
        assert few["note"].str.contains("too few").all()

    def test_lower_is_better_for_losses(self, small: pd.DataFrame) -> None:
        row = evaluation(small).compare("b", "a", metrics="log_loss").frame.iloc[0]
        assert row["difference"] > 0
        assert row["verdict"] == "a"
        negated = evaluation(small).compare("b", "a", metrics="neg_log_loss").frame.iloc[0]
        assert negated["difference"] == pytest.approx(-row["difference"])
        assert (negated["ci_low"], negated["ci_high"]) == pytest.approx((-row["ci_high"], -row["ci_low"]))
        assert negated["verdict"] == "a"


class TestUnpaired:
    @staticmethod
    def releases(shift: float = 0.5) -> pd.DataFrame:
        old, new = simulated(600, 1, 1), simulated(500, 1, 2, effect=shift)
        frame = pd.concat([new.assign(v="new"), old.assign(v="old")], ignore_index=True)
        return frame.assign(g=np.arange(len(frame)) % 2)

    def test_releases_are_unpaired_with_the_right_tests(self) -> None:
        from scipy.stats import skew, ttest_ind
        from scipy.stats import t as student

        frame = self.releases()
        ev = frame.evals(y_true="y", y_score={"a": "a"}, release="v")
        result = ev.compare("new", "old", metrics=["accuracy", "roc_auc", "log_loss", "f1"])
        assert not result.paired
        assert "id=" in result.why
        by = result.frame.set_index("metric")
        new, old = frame[frame["v"] == "new"], frame[frame["v"] == "old"]
        right = [((p["a"] >= 0.5) == (p["y"] == 1)).sum() for p in (new, old)]
        expected = dfevals.inference.two_proportions(right[0], 500, right[1], 600, method="newcombe")
        assert by.loc["accuracy", "p_value"] == pytest.approx(expected.p_value)
        assert by.loc["accuracy", "ci_low"] == pytest.approx(expected.ci_low)
        delong = dfevals.inference.delong_unpaired(new["y"], new["a"], old["y"], old["a"])
        assert by.loc["roc_auc", "p_value"] == pytest.approx(delong.p_value)
        assert by.loc["roc_auc", "ci_high"] == pytest.approx(delong.ci_high)
        loss = [-np.log(np.where(p["y"] == 1, p["a"], 1 - p["a"])) for p in (new, old)]
        welch = ttest_ind(*loss, equal_var=False)
        plain = ev.compare("new", "old", metrics="log_loss", test="welch").frame.iloc[0]
        assert plain["p_value"] == pytest.approx(welch.pvalue)
        skewness = skew(np.concatenate([part - part.mean() for part in loss]))
        skewness *= (500**-2 - 600**-2) / (1 / 500 + 1 / 600) ** 1.5
        t = welch.statistic
        unskewed = t + skewness * t**2 / 3 + skewness**2 * t**3 / 27 + skewness / 6  # Hall 1992, equation of his g2
        assert by.loc["log_loss", "statistic"] == pytest.approx(unskewed)
        assert by.loc["log_loss", "p_value"] == pytest.approx(2 * student.sf(abs(unskewed), welch.df))
        assert by.loc["f1", "value_a"] == pytest.approx(f1_score(new["y"], new["a"] >= 0.5))

    def test_skewed_losses_of_equal_cohorts_are_rarely_told_apart(self) -> None:
        rng = np.random.default_rng(3)
        names = {"auto": 0, "welch": 0, "flags": 0}
        for _ in range(60):
            error = rng.normal(size=1000) ** 2
            frame = pd.DataFrame({"y": error, "p": 0.0, "g": np.arange(1000) % 20})
            ev = frame.evals(y_true="y", y_pred="p", task="regression")
            for test in ("auto", "welch"):
                found = ev.compare("p", by="g", metrics="mae", against="complement", test=test).frame
                names[test] += (found["p_corrected"] < 0.05).any()
            flagged = ev.metrics("mae", by="g", relative_to="complement")
            same = ev.compare("p", by="g", metrics="mae", against="complement").frame["p_value"]
            of_cohorts = flagged.frame[~flagged.frame["is_overall"]]
            np.testing.assert_allclose(of_cohorts["p_value"], same[: len(of_cohorts)])
            names["flags"] += (of_cohorts["p_corrected"] < 0.05).any()
        assert names["auto"] <= 6 < 12 <= names["welch"]
        assert names["flags"] <= 6

    def test_a_frame_without_rows_is_said_when_by_is_given(self) -> None:
        frame = pd.DataFrame({"y": [1.0], "p": [0.5], "g": ["a"]})
        ev = frame.iloc[:0].evals(y_true="y", y_pred="p", task="regression")
        with pytest.raises(
            dfevals.exceptions.DataError, match="No cohort of g has a row to compare: the frame has 0 rows"
        ):
            ev.compare("p", by="g", metrics="mae", against="complement")
        with pytest.raises(dfevals.exceptions.MetricError, match="by='column'"):
            ev.compare("p", metrics="mae", against="complement")

    def test_means_of_equally_many_rows_are_told_apart_by_welchs_test(self) -> None:
        rng = np.random.default_rng(4)
        frame = pd.DataFrame({"y": rng.exponential(size=200), "p": 0.0, "v": ["new", "old"] * 100})
        ev = frame.evals(y_true="y", y_pred="p", release="v", task="regression")
        auto, welch = (ev.compare("new", "old", metrics="mae", test=test).frame.iloc[0] for test in ("auto", "welch"))
        for name in ("p_value", "ci_low", "ci_high"):
            assert auto[name] == pytest.approx(welch[name])

    @pytest.mark.parametrize("positives", [1, 30])
    def test_areas_without_variance_are_joined_from_their_intervals(self, positives: int) -> None:
        rng = np.random.default_rng(2)
        y = np.r_[np.ones(positives), np.zeros(30), rng.integers(0, 2, 200)]
        side = np.r_[np.repeat("clean", positives + 30), np.repeat("noisy", 200)]
        score = y + rng.normal(0, np.where(side == "clean", 1e-3, 1.0))
        frame = pd.DataFrame({"y": y.astype(int), "s": score, "side": side})
        evaluation = frame.evals(y_true="y", y_score="s")
        found = evaluation.compare(by="side", against="complement", metrics=["roc_auc"]).frame.iloc[0]
        own = evaluation.metrics("roc_auc", by="side").frame.set_index("side")
        clean, noisy = own.loc["clean"], own.loc["noisy"]
        below = np.hypot(clean["value"] - clean["ci_low"], noisy["ci_high"] - noisy["value"])
        above = np.hypot(clean["ci_high"] - clean["value"], noisy["value"] - noisy["ci_low"])
        assert found["ci_low"] == pytest.approx(found["difference"] - below)
        assert found["ci_high"] == pytest.approx(found["difference"] + above)
        assert (found["p_value"] < 0.05) == (found["ci_low"] > 0)
        assert "MOVER" in found["note"]
        assert (found["verdict"] == "too few") == (positives == 1)

    @pytest.mark.parametrize("metric", ["accuracy", "f1", "brier", "rmse_of_scores"])
    @pytest.mark.parametrize("nested", [True, False])
    def test_clusters_of_the_rest_count_as_those_of_a_cohort(self, metric: str, nested: bool) -> None:
        rng = np.random.default_rng(8)
        unit = rng.integers(0, 60, 600)
        y = rng.integers(0, 2, 600)
        score = np.clip(0.3 + 0.3 * y + 0.2 * rng.normal(size=60)[unit] + 0.1 * rng.normal(size=600), 0, 1)
        side = np.array(["a", "b", "c"])[(unit if nested else rng.integers(0, 60, 600)) % 3]
        frame = pd.DataFrame({"y": y, "s": score, "unit": unit, "side": side, "half": rng.integers(0, 2, 600)})
        evaluation = frame.evals(y_true="y", y_score="s", cluster="unit")
        if metric == "rmse_of_scores":
            evaluation, metric = frame.evals(y_true="y", y_pred="s", task="regression", cluster="unit"), "rmse"
        by = ["side", "half"]
        found = evaluation.compare(by=by, against="complement", metrics=[metric]).frame
        own = evaluation.metrics(metric, by=by).frame.query("not is_overall")
        assert len(found) == len(own) == 6
        for (_, row), (_, mine) in zip(found.sort_values(by).iterrows(), own.sort_values(by).iterrows(), strict=True):
            rest = evaluation.where(f"not (side == '{row['side']}' and half == {row['half']})")
            theirs = rest.metrics(metric).frame.iloc[0]
            assert row["value_b"] == pytest.approx(theirs["value"])
            if metric in ("brier", "rmse"):  # means of dependent rows have a test of their own
                mine_too = (frame["side"] == row["side"]) & (frame["half"].astype(str) == str(row["half"]))
                sides = frame.assign(part=np.where(mine_too, "in", "out"))
                roles = {"y_score": "s"} if metric == "brier" else {"y_pred": "s", "task": "regression"}
                both = sides.evals(y_true="y", cluster="unit", release="part", **roles).compare(
                    "in", "out", metrics=[metric]
                )
                expected = both.frame.iloc[0][["ci_low", "ci_high", "p_value"]].astype(float)
                assert row[["ci_low", "ci_high", "p_value"]].astype(float).to_numpy() == pytest.approx(
                    expected.to_numpy()
                )
                continue
            below = np.hypot(mine["value"] - mine["ci_low"], theirs["ci_high"] - theirs["value"])
            assert row["ci_low"] == pytest.approx(row["difference"] - below)

    def test_unpaired_size(self) -> None:
        frame = simulated(100, 2000, seed=6).assign(v=lambda d: np.where(np.arange(len(d)) % 2, "x", "y"))
        ev = frame.evals(y_true="y", y_score={"a": "a"}, release="v")
        cohorts = ev.compare(by="g", metrics=["accuracy", "roc_auc", "log_loss", "f1", "mcc"], correction=None).frame[
            5:
        ]
        found = cohorts["verdict"].isin(["x", "y"]).groupby(cohorts["metric"]).mean()
        # the score test of 50 and 50 rows reaches .057 at some rates, by enumeration of all tables
        assert found["accuracy"] <= 0.057 + 3 * np.sqrt(0.05 * 0.95 / 2000)
        assert found.drop("accuracy").max() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)

    def test_tests_of_pairs_are_refused(self) -> None:
        ev = self.releases().evals(y_true="y", y_score={"a": "a"}, release="v")
        with pytest.raises(MetricError, match="different rows"):
            ev.compare(metrics="accuracy", test="mcnemar")

    def test_complement(self, adult: pd.DataFrame) -> None:
        result = adult.evals(**ROLES).compare("gbm", by="sex", metrics="recall", against="complement")
        assert not result.paired
        assert result.frame["a"].tolist() == ["sex = Female", "sex = Male"]
        assert result.frame["verdict"].tolist() == ["the rest", "sex = Male"]

    def test_long_frames_are_matched_by_id(self, small: pd.DataFrame) -> None:
        parts = [small[["g", "y"]].assign(row=small.index, who=m, p=small[m]) for m in ("a", "b")]
        long = pd.concat(parts).sample(frac=1, random_state=0)
        roles = {"y_true": "y", "y_score": "p", "model": "who"}
        wide = evaluation(small).compare("a", "b", by="g", metrics=["accuracy", "roc_auc"]).frame
        matched = long.evals(**roles, id="row").compare("a", "b", by="g", metrics=["accuracy", "roc_auc"])
        assert matched.paired
        columns = ["g", "value_a", "difference", "p_value", "verdict", "n"]
        left, right = (f.sort_values(["metric", "g"])[columns].reset_index(drop=True) for f in (matched.frame, wide))
        pd.testing.assert_frame_equal(left, right)
        assert not long.evals(**roles).compare("a", "b", metrics="accuracy").paired
        missing = long[~((long["who"] == "b") & (long["row"] < 7))]
        partly = missing.evals(**roles, id="row").compare("a", "b", metrics="accuracy")
        assert partly.frame["n"].item() == len(small) - 7
        assert any("7 of a" in note for note in partly.notes)

    def test_ids_that_repeat_or_disagree_are_errors(self, small: pd.DataFrame) -> None:
        parts = [small[["y"]].assign(row=small.index, who=m, p=small[m]) for m in ("a", "b")]
        long = pd.concat(parts, ignore_index=True)
        roles = {"y_true": "y", "y_score": "p", "model": "who", "id": "row"}
        with pytest.raises(DataError, match="repeats within 'a'"):
            pd.concat([long, long.iloc[:1]], ignore_index=True).evals(**roles).compare("a", "b")
        wrong = long.copy()
        wrong.loc[0, "y"] = 1 - wrong.loc[0, "y"]
        with pytest.raises(DataError, match="labels of 1 matched rows differ"):
            wrong.evals(**roles).compare("a", "b")
        assert "in common" in long.assign(row=range(len(long))).evals(**roles).compare("a", "b", metrics="accuracy").why


class TestRowsAndMix:
    def test_rows_fixed_and_broken(self, adult: pd.DataFrame) -> None:
        result = adult.evals(**ROLES).compare("gbm", "logistic", by=["sex", "race"], metrics="accuracy")
        fixed = result.rows("fixed", cohort="sex = Female, race = Black")
        truth = adult["income"] == ">50K"
        expected = adult[
            ((adult["p_gbm"] >= 0.5) == truth) & ((adult["p_logistic"] >= 0.5) != truth)
            & (adult["sex"] == "Female") & (adult["race"] == "Black")
        ]  # fmt: skip
        pd.testing.assert_frame_equal(fixed, expected)
        counts = result.discordant
        assert counts.loc[(counts["sex"] == "Female") & (counts["race"] == "Black"), "fixed"].item() == len(fixed)
        overall = counts[counts["is_overall"]].iloc[0]
        assert overall[["both_right", "fixed", "broken", "both_wrong"]].sum() == len(adult)
        assert len(result.rows("broken")) == overall["broken"]
        with pytest.raises(DfevalsError, match="There is no cohort 'Femal'"):
            result.rows("fixed", cohort="Femal")
        with pytest.raises(DfevalsError, match="kind"):
            result.rows("fix")

    def test_kitagawa_adds_up(self) -> None:
        a, b = np.array([0.9, 0.5, 0.2]), np.array([0.8, 0.45, 0.3])
        share_a, share_b = np.array([0.2, 0.3, 0.5]), np.array([0.6, 0.3, 0.1])
        within, mix = kitagawa(a, b, share_a, share_b)
        assert within.sum() + mix.sum() == pytest.approx((share_a * a).sum() - (share_b * b).sum())

    def test_simpsons_paradox_is_told_and_split(self) -> None:
        rng = np.random.default_rng(0)
        parts = []
        # new is better in both cohorts but sees mostly hard rows
        for release, cohort, n, accuracy in (
            ("new", "hard", 4000, 0.7),
            ("new", "easy", 1000, 0.95),
            ("old", "hard", 1000, 0.6),
            ("old", "easy", 4000, 0.9),
        ):
            y = rng.integers(0, 2, n)
            right = rng.random(n) < accuracy
            parts.append(pd.DataFrame({"y": y, "p": np.where(right, y, 1 - y), "kind": cohort, "v": release}))
        ev = pd.concat(parts, ignore_index=True).evals(y_true="y", y_pred="p", release="v", pos_label=1)
        result = ev.compare("new", "old", by="kind", metrics="accuracy")
        assert result.notes[0].startswith("Simpson's paradox")
        mix = result.mix
        total = mix[mix["is_overall"]].iloc[0]
        assert total["within"] > 0 > total["mix"]
        assert total["difference"] == pytest.approx(result.frame["difference"].iloc[0])
        assert mix["within"][1:].sum() == pytest.approx(total["within"])


class TestManyModels:
    @pytest.fixture(scope="class")
    @staticmethod
    def three() -> pd.DataFrame:
        return dfevals.datasets.load("bank")

    def test_all_pairs_with_one_correction(self, three: pd.DataFrame) -> None:
        result = three.evals(**BANK).compare(metrics=["roc_auc"])
        frame = result.frame
        assert list(zip(frame["a"], frame["b"], strict=True)) == [
            ("logistic", "gbm"),
            ("logistic", "forest"),
            ("gbm", "forest"),
        ]
        np.testing.assert_allclose(frame["p_corrected"], dfevals.inference.holm(frame["p_value"]))
        matrix = result.matrix("roc_auc", "difference")
        assert matrix.loc["gbm", "logistic"] == -matrix.loc["logistic", "gbm"]
        assert result.ranks["model"].tolist() == ["gbm", "forest", "logistic"]

    def test_cochrans_q_and_friedman(self, three: pd.DataFrame) -> None:
        from statsmodels.stats.contingency_tables import cochrans_q

        result = three.evals(**BANK).compare(by="job", metrics=["accuracy", "roc_auc"])
        truth = three["y"] == "yes"
        right = np.stack([(three[f"p_{m}"] >= 0.5) == truth for m in ("logistic", "gbm", "forest")], axis=1)
        expected = cochrans_q(right.astype(int))
        row = result.omnibus[result.omnibus["test"] == "Cochran's Q"].iloc[0]
        assert (row["statistic"], row["p_value"]) == pytest.approx((expected.statistic, expected.pvalue))
        from scipy.stats import friedmanchisquare

        values = [
            [roc_auc_score(part["y"] == "yes", part[f"p_{m}"]) for _, part in three.groupby("job", observed=True)]
            for m in ("logistic", "gbm", "forest")
        ]
        found = result.omnibus[
            (result.omnibus["metric"] == "roc_auc") & (result.omnibus["test"] == "Friedman over cohorts")
        ]
        assert found["p_value"].item() == pytest.approx(friedmanchisquare(*values).pvalue)
        assert result.nemenyi("roc_auc").critical_difference == pytest.approx(
            2.343 * np.sqrt(3 * 4 / (6 * 12)), rel=1e-3
        )

    def test_the_winner_is_corrected_for_its_luck(self) -> None:
        rng = np.random.default_rng(0)
        optimism, corrected, covered = [], [], []
        for seed in range(60):
            y = rng.integers(0, 2, 200)
            frame = pd.DataFrame({f"m{i}": np.where(rng.random(200) < 0.7, y, 1 - y) for i in range(8)}).assign(y=y)
            ev = frame.evals(y_true="y", y_pred={f"m{i}": f"m{i}" for i in range(8)}, pos_label=1)
            top = ev.compare(metrics="accuracy", random_state=seed).winner.iloc[0]
            optimism.append(top["value"] - 0.7)
            corrected.append(top["corrected"] - 0.7)
            covered.append(top["ci_low"] <= 0.7 <= top["ci_high"])
        assert np.mean(covered) > 0.93
        assert np.mean(optimism) > 0.03
        assert abs(np.mean(corrected)) < 0.012

    def test_one_against_all_others(self, three: pd.DataFrame) -> None:
        frame = three.evals(**BANK).compare("gbm", metrics="accuracy").frame
        assert list(zip(frame["a"], frame["b"], strict=True)) == [("gbm", "logistic"), ("gbm", "forest")]


class TestMistakes:
    def test_messages_name_the_fix(self, small: pd.DataFrame) -> None:
        ev = evaluation(small)
        with pytest.raises(RoleError, match="no model 'c'"):
            ev.compare("a", "c")
        with pytest.raises(RoleError, match="with itself"):
            ev.compare("a", "a")
        with pytest.raises(RoleError, match="There is one model"):
            small.evals(y_true="y", y_score="a").compare()
        with pytest.raises(DfevalsError, match="test"):
            ev.compare(test="mcnemmar")
        with pytest.raises(MetricError, match="does not fit 'roc_auc'"):
            ev.compare(metrics="roc_auc", test="mcnemar")
        with pytest.raises(DataError, match="margin"):
            ev.compare(margin=-1)
        with pytest.raises(DataError, match="margin= names 'acuracy'"):
            ev.compare(metrics="accuracy", margin={"acuracy": 0.1})
        with pytest.raises(DfevalsError, match="more than two models"):
            _ = ev.compare(metrics="accuracy").ranks
        with pytest.raises(MetricError, match="Say which"):
            ev.compare(against="complement")

    def test_hostile_names_are_escaped(self, small: pd.DataFrame) -> None:
        frame = small.assign(g=np.where(small["g"] == 0, "<script>alert(1)</script>", "x"))
        ev = frame.evals(y_true="y", y_score={"<b>a</b>": "a", "b": "b"})
        html = ev.compare(by="g", metrics="accuracy")._repr_html_()
        assert "<script>" not in html
        assert "<b>a" not in html


def test_skewed_differences_must_also_differ_after_halls_transform() -> None:
    from scipy import stats

    rng = np.random.default_rng(12)
    y, error = rng.normal(size=2000), rng.exponential(size=2000)
    frame = pd.DataFrame({"y": y, "a": y + 1, "b": y + error, "g": np.arange(2000) // 40})
    evaluation = frame.evals(y_true="y", y_pred={"a": "a", "b": "b"}, task="regression")
    auto, plain = (evaluation.compare(by="g", metrics="mae", test=test).frame.iloc[1:] for test in ("auto", "t"))
    gap = (1 - error).reshape(50, 40)
    moved = gap - gap.mean(axis=1, keepdims=True)
    t = stats.ttest_1samp(gap, 0, axis=1)
    a = 1.5 * (moved**3).sum(axis=1) / (moved**2).sum(axis=1) ** 1.5
    hall = 2 * stats.t.sf(np.abs(t.statistic + a * t.statistic**2 / 3 + a**2 * t.statistic**3 / 27 + a / 6), 39)
    order = np.argsort(auto["g"].astype(int).to_numpy())
    assert plain["p_value"].to_numpy()[order] == pytest.approx(t.pvalue)
    assert auto["p_value"].to_numpy()[order] == pytest.approx(np.fmax(t.pvalue, hall))
    assert ((auto["ci_low"] > 0) | (auto["ci_high"] < 0)).tolist() == (auto["p_value"] <= 0.05).tolist()


@pytest.mark.parametrize("n", [30, 100])
def test_skewed_differences_rarely_prefer_the_wrong_model(n: int) -> None:
    rng = np.random.default_rng(n)
    y, error = rng.normal(size=n * 3000), rng.exponential(size=n * 3000)
    frame = pd.DataFrame({"y": y, "a": y + 1, "b": y + error, "g": np.arange(n * 3000) // n})
    evaluation = frame.evals(y_true="y", y_pred={"a": "a", "b": "b"}, task="regression")
    found = evaluation.compare(by="g", metrics="mae", correction=None).frame.iloc[1:]
    for model in ("a", "b"):
        assert (found["verdict"] == model).mean() <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / 3000)
