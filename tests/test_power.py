"""Plans against statsmodels and simulation, and agreement of raters against scikit-learn and statsmodels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.exceptions import DataError, DfevalsError, RoleError


def scored(n: int = 3000, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    frame = pd.DataFrame({"y": y, "g": np.where(np.arange(n) % 4 == 0, "small", "large"), "unit": np.arange(n) // 6})
    for name, strength in (("a", 1.4), ("b", 1.0)):
        frame[name] = 1 / (1 + np.exp(-(2 * strength * (y - 0.5) + rng.normal(size=n))))
    return frame


def evaluation(frame: pd.DataFrame, **roles: object) -> dfevals.Evaluation:
    return frame.evals(y_true="y", y_score={"a": "a", "b": "b"}, **roles)


class TestPower:
    def test_top_level_power_is_the_planner(self) -> None:
        assert dfevals.power("proportion", difference=0.02, discordance=0.1).n == 1960

    def test_rates_are_planned_with_the_discordance_at_hand(self) -> None:
        frame = scored()
        plan = evaluation(frame).power(by="g", metrics="accuracy", difference=0.03).frame.set_index("g")
        right = [(frame[c] >= 0.5) == (frame["y"] == 1) for c in ("a", "b")]
        part = (frame["g"] == "small").to_numpy()
        discordance = (right[0] != right[1])[part].mean()
        expected = dfevals.power("proportion", n=part.sum(), discordance=discordance)
        assert plan.loc["small", "detectable"] == pytest.approx(expected.difference)
        needed = dfevals.power("proportion", difference=0.03, discordance=discordance)
        assert plan.loc["small", "rows_needed"] == needed.n
        assert plan.loc["large", "detectable"] < plan.loc["small", "detectable"]

    def test_recall_counts_rows_of_the_whole_cohort(self) -> None:
        frame = scored()
        plan = evaluation(frame).power(metrics="recall", difference=0.05).frame.iloc[0]
        positive = frame["y"] == 1
        right = [(frame[c] >= 0.5)[positive] for c in ("a", "b")]
        among = dfevals.power("proportion", difference=0.05, discordance=(right[0] != right[1]).mean()).n
        assert plan["rows_needed"] == pytest.approx(among / positive.mean(), rel=0.01)

    @pytest.mark.parametrize("metric", ["roc_auc", "f1", "log_loss"])
    def test_planned_power_is_the_share_of_comparisons_that_find_it(self, metric: str) -> None:
        whole = scored(240_000, seed=1).assign(g=lambda d: np.arange(len(d)) // 300)
        result = evaluation(whole).compare(by="g", metrics=metric, correction=None).frame
        overall = result.iloc[0]
        found = (result["p_value"][1:] < 0.05).mean()
        plan = evaluation(whole.head(30_000)).power(metrics=metric, difference=abs(overall["difference"])).frame.iloc[0]
        planned = dfevals.power("mean", n=300, difference=abs(overall["difference"]), sd=plan["sd"]).power
        assert found == pytest.approx(planned, abs=0.05)

    def test_clusters_have_a_design_effect(self) -> None:
        rng = np.random.default_rng(0)
        base = scored(600)
        copies = base.loc[base.index.repeat(5)].reset_index(drop=True).assign(unit=lambda d: np.arange(len(d)) // 5)
        plan = evaluation(copies, cluster="unit").power(metrics="accuracy").frame.iloc[0]
        assert plan["design_effect"] == pytest.approx(5, rel=0.1)
        assert plan["detectable"] == pytest.approx(
            evaluation(base).power(metrics="accuracy").frame["detectable"].item(), rel=0.1
        )
        del rng

    def test_one_model_is_planned_unpaired(self) -> None:
        from statsmodels.stats.power import TTestIndPower

        frame = scored()
        result = frame.evals(y_true="y", y_score="a").power(metrics="accuracy", difference=0.03)
        row = result.frame.iloc[0]
        rate = ((frame["a"] >= 0.5) == (frame["y"] == 1)).mean()
        expected = TTestIndPower().solve_power(effect_size=0.03 / np.sqrt(rate * (1 - rate)), power=0.8, alpha=0.05)
        assert row["rows_needed"] == pytest.approx(expected, rel=0.01)
        assert "Unpaired" in result.notes[0]

    def test_alpha_is_divided_by_the_cohorts_on_request(self) -> None:
        ev = evaluation(scored())
        plain, corrected = (ev.power(by="g", correct_for_cohorts=flag).frame["detectable"] for flag in (False, True))
        assert (corrected > plain).all()

    def test_what_cannot_be_planned_says_why(self) -> None:
        frame = pd.concat([scored(), scored(5).assign(g="tiny")], ignore_index=True)
        plan = evaluation(frame).power(by="g").frame.set_index("g")
        assert plan.loc["tiny", "note"] == "too few rows to plan from"
        assert np.isnan(plan.loc["tiny", "detectable"])
        same = evaluation(scored().assign(b=lambda d: d["a"])).power().frame.iloc[0]
        assert same["note"] != ""
        with pytest.raises(DataError, match="must not be 0"):
            evaluation(frame).power(difference=0)
        with pytest.raises(DataError, match="power"):
            evaluation(frame).power(power=80)


class TestAgreement:
    @pytest.fixture
    @staticmethod
    def rated() -> pd.DataFrame:
        rng = np.random.default_rng(0)
        human = rng.integers(1, 6, 300)
        frame = pd.DataFrame(
            {
                "human": human,
                "judge": np.clip(human + rng.integers(-1, 2, 300), 1, 5),
                "lang": rng.choice(["en", "de"], 300),
            }
        )
        return frame.assign(third=np.clip(human + rng.integers(-2, 3, 300), 1, 5))

    def test_against_scikit_learn(self, rated: pd.DataFrame) -> None:
        from sklearn.metrics import cohen_kappa_score

        ev = rated.evals(outcomes=["judge", "human"])
        for level, weights in (("nominal", None), ("ordinal", "quadratic")):
            frame = ev.agreement("judge", "human", by="lang", level=level).frame
            kappa = frame[frame["metric"] == "cohen_kappa"].set_index("lang")["value"]
            part = rated[rated["lang"] == "de"]
            assert kappa["(overall)"] == pytest.approx(
                cohen_kappa_score(rated["judge"], rated["human"], weights=weights)
            )
            assert kappa["de"] == pytest.approx(cohen_kappa_score(part["judge"], part["human"], weights=weights))
        share = frame[(frame["metric"] == "agreement") & frame["is_overall"]]["value"].item()
        assert share == pytest.approx((rated["judge"] == rated["human"]).mean())

    def test_three_raters_and_missing_ratings(self, rated: pd.DataFrame) -> None:
        holes = rated.astype({"judge": float})
        holes.loc[:19, "judge"] = np.nan
        frame = holes.evals(outcomes=["judge", "human"]).agreement("judge", "human", "third", level="interval").frame
        expected = dfevals.inference.krippendorff_alpha(
            holes[["judge", "human", "third"]].to_numpy().T, level="interval"
        )
        every = frame[frame["a"] == "(all)"].iloc[0]
        assert every["value"] == pytest.approx(expected.estimate)
        pair = frame[(frame["a"] == "judge") & (frame["b"] == "human") & (frame["metric"] == "agreement")].iloc[0]
        assert pair["n"] == 280

    def test_two_valued_ratings_show_the_bias(self) -> None:
        rng = np.random.default_rng(1)
        human = rng.random(400) < 0.5
        judge = human | (rng.random(400) < 0.2)
        frame = pd.DataFrame({"human": human, "judge": judge}).evals(outcomes=["judge", "human"]).agreement().frame
        row = frame[frame["metric"] == "rate_difference"].iloc[0]
        assert row["value"] == pytest.approx(judge.mean() - human.mean())
        assert row["ci_low"] > 0

    def test_long_frames(self) -> None:
        raters = dfevals.datasets.load("raters")
        ev = raters.evals(dfevals.datasets.describe("raters").roles)
        frame = ev.agreement("subject-01", "subject-02", by="stimulus").frame
        wide = raters.pivot(index="item", columns="subj", values="object_response")
        both = wide[["subject-01", "subject-02"]].dropna()
        overall = frame[(frame["metric"] == "agreement") & frame["is_overall"]].iloc[0]
        assert overall["value"] == pytest.approx((both["subject-01"] == both["subject-02"]).mean())
        assert overall["n"] == len(both)

    def test_mistakes(self, rated: pd.DataFrame) -> None:
        ev = rated.evals(outcomes=["judge"])
        with pytest.raises(RoleError, match="at least two raters"):
            ev.agreement("judge")
        with pytest.raises(RoleError, match="no column 'humn'"):
            ev.agreement("judge", "humn")
        with pytest.raises(DfevalsError, match="scale"):
            ev.agreement("judge", "human", level="numeric")
        with pytest.raises(DataError, match="needs numbers"):
            ev.agreement("judge", "lang", level="interval")


def test_agreement_of_models_by_their_predictions() -> None:
    df = dfevals.datasets.load("adult").head(400)
    ev = df.evals(y_true="income", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label=">50K", threshold=0.4)
    frame = ev.agreement("gbm", "logistic").frame.set_index("metric")
    cut = (df["p_gbm"] >= 0.4) == (df["p_logistic"] >= 0.4)
    assert frame.loc["agreement", "value"] == pytest.approx(cut.mean())
    pd.testing.assert_frame_equal(ev.agreement().frame, ev.agreement("gbm", "logistic").frame)
    holes = df.assign(p_gbm=df["p_gbm"].where(np.arange(400) > 9))
    assert (holes.evals(ev.roles).agreement().frame["n"] == 390).all()
    long = pd.concat([df.assign(m=m, p=df[f"p_{m}"], i=range(400)) for m in ("gbm", "logistic")])
    same = long.evals(y_true="income", y_score="p", model="m", id="i", pos_label=">50K", threshold=0.4).agreement()
    assert same.frame.set_index("metric").loc["agreement", "value"] == pytest.approx(cut.mean())


def test_agreement_of_numbers_taken_for_categories_is_refused() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"s": rng.random(20_000), "t": rng.random(20_000)})
    ev = frame.evals(outcomes=["s", "t"])
    for level in ("nominal", "ordinal"):
        with pytest.raises(dfevals.exceptions.DataError, match=r"40,000 different ratings.*scale='interval'"):
            ev.agreement(level=level)
    assert ev.agreement(level="interval").frame["value"].notna().all()
    with pytest.raises(dfevals.exceptions.DataError, match="more than 2,000"):
        dfevals.inference.cohen_kappa(frame["s"], frame["t"])
