"""Fold summaries against scikit-learn, and comparisons of learners over folds against scipy and published rules."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, roc_auc_score

import dfevals
from dfevals.analyses.folds.folds import grubbs
from dfevals.exceptions import DataError, DfevalsError, MetricError, RoleError
from dfevals.plots import alt_text

ROLES = {"y_true": "income", "y_score": {"gbm": "p_gbm", "logistic": "p_logistic"}, "pos_label": ">50K", "fold": "fold"}


@pytest.fixture(scope="module")
def adult() -> pd.DataFrame:
    return dfevals.datasets.load("adult")


def out_of_fold(n: int = 200, folds: int = 5, seed: int = 0, repeats: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = np.tile(rng.integers(0, 2, n), repeats)
    frame = pd.DataFrame(
        {"y": y, "fold": np.tile(np.arange(n) % folds, repeats), "repeat": np.repeat(np.arange(repeats), n)}
    )
    for name in ("a", "b"):
        frame[name] = 1 / (1 + np.exp(-(2 * (y - 0.5) + rng.normal(size=len(y)))))
    return frame.assign(g=np.where(np.arange(len(y)) % 3 == 0, "x", "z"))


def evaluation(frame: pd.DataFrame, **roles: object) -> dfevals.Evaluation:
    return frame.evals(**{"y_true": "y", "y_score": {"a": "a", "b": "b"}, "fold": "fold", **roles})


class TestSummary:
    def test_values_are_those_of_the_rows_of_the_fold(self, adult: pd.DataFrame) -> None:
        frame = adult.evals(**ROLES).folds(by="sex", metrics=["accuracy", "roc_auc"]).frame
        rows = frame[(frame["sex"] == "Female") & (frame["model"] == "gbm")]
        part = adult[(adult["sex"] == "Female") & (adult["fold"] == 3)]
        truth = part["income"] == ">50K"
        for metric, expected in (
            ("accuracy", accuracy_score(truth, part["p_gbm"] >= 0.5)),
            ("roc_auc", roc_auc_score(truth, part["p_gbm"])),
        ):
            row = rows[(rows["metric"] == metric) & (rows["fold"] == "3")].iloc[0]
            assert row["value"] == pytest.approx(expected)
            assert row["n"] == len(part)
        assert len(frame) == 10 * 2 * 2 * 3

    def test_summary_has_the_corrected_interval(self, adult: pd.DataFrame) -> None:
        result = adult.evals(**ROLES).folds(metrics=["accuracy"], models="gbm")
        values = result.frame["value"].to_numpy()
        row = result.summary.iloc[0]
        assert list(result.summary.columns[:7]) == ["model", "metric", "mean", "std", "ci_low", "ci_high", "n_folds"]
        assert (row["mean"], row["std"], row["n_folds"]) == pytest.approx((values.mean(), values.std(ddof=1), 10))
        sizes = adult["fold"].value_counts().to_numpy()
        half = stats.t.ppf(0.975, 9) * np.sqrt((0.1 + (sizes / (len(adult) - sizes)).mean()) * values.var(ddof=1))
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((values.mean() - half, values.mean() + half))
        assert row["worst_fold"] == str(values.argmin())

    def test_ranking_metrics_are_never_pooled(self) -> None:
        rng = np.random.default_rng(0)
        y = np.tile([0, 1], 500)
        fold = np.arange(1000) // 100
        shifted = y * 0.0 + rng.random(1000) * 0.1 + 0.08 * fold  # pure noise whose level depends on the fold
        frame = pd.DataFrame({"y": y, "p": shifted, "fold": fold})
        mean = frame.evals(y_true="y", y_score="p", fold="fold").folds(metrics="roc_auc").summary["mean"].item()
        each = [roc_auc_score(part["y"], part["p"]) for _, part in frame.groupby("fold")]
        assert mean == pytest.approx(np.mean(each))

    def test_regression_and_multiclass(self) -> None:
        hpc = dfevals.datasets.load("hpc_cv")
        roles = dfevals.datasets.describe("hpc_cv").roles
        summary = hpc.evals(roles).folds(metrics=["accuracy", "f1"]).summary
        each = [accuracy_score(p["obs"], p["pred"]) for _, p in hpc.groupby("Resample")]
        assert summary["mean"].iloc[0] == pytest.approx(np.mean(each))

    def test_an_outlier_fold_is_found(self) -> None:
        frame = out_of_fold(2000, 10)
        wrong = frame["fold"] == 4
        frame.loc[wrong, "a"] = 1 - frame.loc[wrong, "a"]
        result = evaluation(frame).folds(metrics="accuracy")
        summary = result.summary.set_index("model")
        assert summary.loc["a", "outlier_fold"] == "4"
        assert summary.loc["b", "outlier_fold"] == ""
        assert any("Fold 4 is an outlier for a" in note for note in result.notes)
        assert "outlier" in str(result)

    def test_grubbs_keeps_its_level(self) -> None:
        rng = np.random.default_rng(0)
        for n in (5, 10):
            p, _ = grubbs(rng.normal(size=(20_000, n)))
            assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.005)
        # Grubbs (1969), example 1: ten breaking strengths, the largest 596, has G = 2.42 beyond the 2.5 % point 2.290
        strengths = np.array([[568, 570, 570, 570, 572, 572, 572, 578, 584, 596.0]])
        p, at = grubbs(strengths)
        assert at.item() == 9
        assert 0.01 < p.item() < 0.05


class TestLearners:
    def test_default_is_the_corrected_test(self, adult: pd.DataFrame) -> None:
        ev = adult.evals(**ROLES)
        result = ev.compare("gbm", "logistic", metrics=["accuracy", "roc_auc"], by="sex")
        values = ev.folds(metrics="accuracy").wide()["accuracy"]
        gap = (values["gbm"] - values["logistic"]).to_numpy()
        sizes = adult["fold"].value_counts().sort_index().to_numpy()
        expected = dfevals.inference.corrected_resampled_ttest(gap, len(adult) - sizes, sizes)
        row = result.frame.iloc[0]
        assert (row["difference"], row["p_value"], row["ci_low"]) == pytest.approx(
            (expected.estimate, expected.p_value, expected.ci_low)
        )
        assert result.paired
        assert "learners" in result.why
        posterior = result.posterior("accuracy", rope=0.01)
        assert posterior.p_a + posterior.p_rope + posterior.p_b == pytest.approx(1)

    @pytest.mark.parametrize("test", ["folds-wilcoxon", "folds-sign-flip"])
    def test_folds_of_equal_size_are_ties(self, test: str) -> None:
        # five folds of 50 rows, the first model right once more in each: R, exactRankTests and coin give 2 / 2^5
        frame = pd.DataFrame({"y": 1, "fold": np.repeat(np.arange(5), 50), "a": 1, "b": 1})
        frame.loc[np.arange(250) % 50 < np.repeat([9, 4, 14, 21, 7], 50), ["a", "b"]] = 0
        frame.loc[frame.index % 50 == 30, "b"] = 0
        ev = frame.evals(y_true="y", y_pred={"a": "a", "b": "b"}, fold="fold", pos_label=1, labels=[0, 1])
        row = ev.compare("a", "b", metrics="accuracy", test=test).frame.iloc[0]
        assert row["difference"] == pytest.approx(0.02)
        assert row["p_value"] == 0.0625
        assert row["verdict"] == "no evidence"
        assert np.isnan(row["ci_low"])

    def test_posterior_of_repeats_rests_on_the_degrees_of_the_test(self) -> None:
        result = evaluation(out_of_fold(200, 5, repeats=10), repeat="repeat").compare(metrics="log_loss")
        posterior = result.posterior("log_loss", rope=0)
        assert posterior.df == 6
        assert 2 * min(posterior.p_a, posterior.p_b) == pytest.approx(result.frame["p_value"].iloc[0])

    def test_posterior_of_a_loss_favours_the_lower(self) -> None:
        roles = {"y_true": "cnt", "y_pred": {"gbm": "pred_gbm", "ridge": "pred_ridge"}, "fold": "fold"}
        result = (
            dfevals.datasets.load("bike").evals(**roles).compare("gbm", "ridge", metrics=["mae", "r2", "mean_error"])
        )
        mae, r2 = result.posterior("mae"), result.posterior("r2", rope=0.001)
        assert result.frame["verdict"].iloc[0] == "gbm"
        assert (mae.estimate < 0, r2.estimate > 0, mae.better, r2.better) == (True, True, "lower", "higher")
        assert min(mae.p_a, r2.p_a) > 0.95 > 0.05 > max(mae.p_b, r2.p_b)
        values = dfevals.datasets.load("bike").evals(**roles).folds(metrics="mean_error").wide()["mean_error"]
        assert result.posterior("mean_error").estimate == pytest.approx(
            (values["gbm"].abs() - values["ridge"].abs()).mean()
        )
        assert "probability 1.000 that gbm is better" in alt_text(result.plot("posterior", metric="mae"))

    def test_other_tests_by_name(self) -> None:
        frame = out_of_fold(400, 10)
        ev = evaluation(frame)
        values = ev.folds(metrics="log_loss").wide()["log_loss"]
        plain = ev.compare(metrics="log_loss", test="plain-t").frame.iloc[0]
        assert plain["p_value"] == pytest.approx(stats.ttest_rel(values["a"], values["b"]).pvalue)
        ranks = ev.compare(metrics="log_loss", test="folds-wilcoxon").frame.iloc[0]
        assert ranks["p_value"] == pytest.approx(stats.wilcoxon(values["a"], values["b"]).pvalue)
        assert "share training rows" in ranks["note"]
        corrected = ev.compare(metrics="log_loss").frame.iloc[0]
        assert corrected["p_value"] > plain["p_value"]

    def test_rows_by_name_say_what_they_are_about(self) -> None:
        ev = evaluation(out_of_fold())
        for options, test in (({"unit": "rows"}, "Tango score"), ({"test": "mcnemar"}, "McNemar, mid-p")):
            result = ev.compare(metrics="accuracy", **options)
            assert result.frame["test"].item() == test
            assert any("unit='folds' tests learners" in note for note in result.notes)
        with pytest.raises(MetricError, match="compares rows"):
            ev.compare(metrics="accuracy", test="mcnemar", unit="folds")

    def test_five_by_two(self) -> None:
        frame = out_of_fold(200, 2, repeats=5)
        ev = evaluation(frame, repeat="repeat")
        values = ev.folds(metrics="accuracy").wide()["accuracy"]
        gap = (values["a"] - values["b"]).to_numpy().reshape(5, 2)
        for name, test in (
            ("5x2cv-t", dfevals.inference.five_by_two_cv_ttest),
            ("5x2cv-f", dfevals.inference.five_by_two_cv_ftest),
        ):
            row = ev.compare(metrics="accuracy", test=name).frame.iloc[0]
            assert (row["statistic"], row["p_value"]) == pytest.approx((test(gap).statistic, test(gap).p_value))
        with pytest.raises(DataError, match="five repeats of two folds"):
            evaluation(out_of_fold()).compare(metrics="accuracy", test="5x2cv-t")

    def test_ranks_over_folds(self) -> None:
        bank = dfevals.datasets.load("bank")
        result = bank.evals(dfevals.datasets.describe("bank").roles).compare(metrics=["roc_auc"])
        assert result.ranks["model"].iloc[0] == "gbm"
        assert result.ranks["n_blocks"].iloc[0] == bank["fold"].nunique()
        assert result.omnibus["test"].str.contains("Friedman over folds").any()
        assert np.isfinite(result.critical_difference)
        assert result.winner["corrected"].item() <= result.winner["value"].item()


class TestSizeOfLearners:
    def test_the_corrected_test_keeps_its_level_where_the_plain_one_does_not(self) -> None:
        """Equal learners: the same algorithm on two sets of exchangeable features (docs/validation.md at length)."""
        from sklearn.model_selection import StratifiedKFold

        rng, n, sims = np.random.default_rng(1), 100, 300
        gaps = np.empty((sims, 10))
        for sim in range(sims):
            y = (rng.random(n) < 0.5).astype(int)
            x = rng.normal(size=(n, 10)) + 0.4 * y[:, None]
            for at, (train, test) in enumerate(StratifiedKFold(10, shuffle=True, random_state=sim).split(x, y)):
                score = []
                for part in (slice(0, 5), slice(5, 10)):  # the nearest neighbour
                    far = ((x[test][:, None, part] - x[train][None, :, part]) ** 2).sum(axis=2)
                    score.append((y[train][far.argmin(axis=1)] == y[test]).mean())
                gaps[sim, at] = score[0] - score[1]
        corrected = dfevals.inference.corrected_resampled_ttest(gaps, 90, 10).p_value
        plain = stats.ttest_1samp(gaps, 0, axis=1).pvalue
        assert (corrected < 0.05).mean() <= 0.06
        assert (plain < 0.05).mean() >= 0.08


class TestOddFolds:
    def test_no_fold_role(self) -> None:
        with pytest.raises(RoleError, match="fold='…'"):
            out_of_fold().evals(y_true="y", y_score="a").folds()

    def test_one_fold(self) -> None:
        frame = out_of_fold().assign(fold=0)
        result = evaluation(frame).folds(metrics="accuracy")
        assert result.summary["std"].isna().all()
        assert any("one fold" in note for note in result.notes)
        with pytest.raises(DataError, match="one fold"):
            evaluation(frame).compare(metrics="accuracy")

    def test_leave_one_out(self) -> None:
        frame = out_of_fold(60).assign(fold=range(60))
        ev = evaluation(frame)
        result = ev.folds(metrics=["accuracy", "roc_auc"])
        assert result.summary.loc[result.summary["metric"] == "roc_auc", "mean"].isna().all()
        assert any("leave-one-out" in note for note in result.notes)
        compared = ev.compare(metrics=["accuracy", "roc_auc"]).frame.set_index("metric")
        right = [((frame[c] >= 0.5) == frame["y"]).mean() for c in ("a", "b")]
        assert compared.loc["accuracy", "difference"] == pytest.approx(right[0] - right[1])
        assert compared.loc["roc_auc", "verdict"] == "too few"
        assert compared.loc["roc_auc", "note"] != ""

    def test_a_fold_of_one_class_is_left_out_with_a_reason(self) -> None:
        frame = out_of_fold()
        frame.loc[frame["fold"] == 2, "y"] = 1
        result = evaluation(frame).folds(metrics="roc_auc", models="a")
        assert result.summary["n_folds"].item() == 4
        assert result.frame.loc[result.frame["fold"] == "2", "note"].item() == "not defined in this fold"
        compared = evaluation(frame).compare(metrics="roc_auc").frame
        assert "left out" in compared["note"].item()
        assert np.isfinite(compared["p_value"].item())

    def test_ragged_repeats_and_rows_without_a_fold(self) -> None:
        frame = out_of_fold(100, 5, repeats=2)
        frame = frame[~((frame["repeat"] == 1) & (frame["fold"] == 4))]
        result = evaluation(frame, repeat="repeat").folds(metrics="accuracy", models="a")
        assert result.summary["n_folds"].item() == 9
        assert any("different numbers of folds" in note for note in result.notes)
        frame = out_of_fold().assign(fold=lambda d: d["fold"].astype("Int64").mask(d.index < 7))
        result = evaluation(frame).folds(metrics="accuracy")
        assert any("7 rows without a fold" in note for note in result.notes)
        assert result.frame["n"].sum() == 2 * 193

    def test_missing_cohorts_and_unknown_metric_to_plot(self) -> None:
        frame = out_of_fold(60, 5)
        frame.loc[:2, "g"] = "rare"
        result = evaluation(frame).folds(by="g", metrics="accuracy")
        rare = result.frame[result.frame["g"] == "rare"]
        assert (rare.loc[rare["n"] == 0, "note"] == "no rows in this fold").all()
        with pytest.raises(DfevalsError, match="metric"):
            result.plot(metric="recall")
