"""Routing: only with evidence, honest about its gain, and the same when written down and read back."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.exceptions import CohortError, DataError, DfevalsError, MetricError, RoleError


def intents(n: int = 400, groups: int = 8, seed: int = 0, special: tuple[int, ...] = ()) -> pd.DataFrame:
    """Two models right on 70 % of the rows; model b on 90 % in the `special` intents."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n * groups)
    group = np.repeat(np.arange(groups), n)
    right = [rng.random(len(y)) < 0.7, rng.random(len(y)) < np.where(np.isin(group, special), 0.9, 0.7)]
    columns = {name: np.where(hit, y, 1 - y) for name, hit in zip(("a", "b"), right, strict=True)}
    return pd.DataFrame({"y": y, "intent": [f"i{g}" for g in group], **columns})


def evaluation(frame: pd.DataFrame, **roles: object) -> dfevals.Evaluation:
    return frame.evals(**{"y_true": "y", "y_pred": {"a": "a", "b": "b"}, "pos_label": 1, **roles})


def test_cohorts_with_evidence_are_routed_and_ties_go_to_the_default() -> None:
    frame = intents(special=(2, 5))
    result = evaluation(frame).route(by="intent", default="a")
    routed = result.frame.set_index("intent")["model"]
    assert routed[routed == "b"].index.tolist() == ["i2", "i5"]
    assert result.default == "a"
    gain = result.gain.iloc[0]
    assert gain["ci_low"] > 0
    assert gain["gain"] == pytest.approx(0.05, abs=0.02)  # 20 points in 2 of 8 intents
    row = result.frame.set_index("intent").loc["i2"]
    part = frame[frame["intent"] == "i2"]
    assert row["value_a"] == pytest.approx((part["b"] == part["y"]).mean())
    assert row["difference"] == pytest.approx(row["value_a"] - row["value_b"])


def test_no_false_routes_on_noise_and_an_unbiased_gain() -> None:
    results = [
        evaluation(intents(100, 20, seed)).route(by="intent", default="a", random_state=seed) for seed in range(100)
    ]
    routed = np.mean([bool(r.routes) for r in results])
    assert routed <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100)
    gains = [r.gain["gain"].item() for r in results]
    assert abs(np.mean(gains)) < 3 * np.std(gains) / 10 + 1e-4
    covered = np.mean([r.gain["ci_low"].item() <= 0 <= r.gain["ci_high"].item() for r in results])
    assert covered >= 0.9


@pytest.mark.parametrize(("cohorts", "n", "effects"), [(8, 150, (0.0, 0.1)), (16, 200, (-0.05, 0.1, 0.15))])
def test_the_interval_holds_the_true_gain_of_the_rule_handed_over(
    cohorts: int, n: int, effects: tuple[float, ...]
) -> None:
    rng = np.random.default_rng(9)
    group, covered, shown, true = np.arange(cohorts * n) % cohorts, [], [], []
    for seed in range(80):
        effect = rng.choice(effects, cohorts)
        y = rng.integers(0, 2, len(group))
        right = {"a": rng.random(len(group)) < 0.75, "b": rng.random(len(group)) < 0.75 + effect[group]}
        frame = pd.DataFrame({name: np.where(hit, y, 1 - y) for name, hit in right.items()} | {"y": y, "intent": group})
        routing = evaluation(frame).route(by="intent", default="a", metric="accuracy", random_state=seed)
        chosen = routing.frame[~routing.frame["is_overall"]].set_index("intent")["model"] == "b"
        gain = routing.gain.iloc[0]
        true.append(sum(effect[int(name)] for name in chosen.index[chosen]) / cohorts)
        shown.append(gain["gain"])
        covered.append(gain["ci_low"] - 1e-12 <= true[-1] <= gain["ci_high"] + 1e-12)
    assert np.mean(covered) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 80)
    assert 0.75 < np.mean(shown) / np.mean(true) < 1.1


def test_greedy_choice_without_correction_promises_more_than_it_keeps() -> None:
    frames = [intents(30, 30, seed) for seed in range(40)]
    greedy, honest = [], []
    for seed, frame in enumerate(frames):
        by = frame.assign(a=frame["a"] == frame["y"], b=frame["b"] == frame["y"]).groupby("intent")[["a", "b"]].mean()
        greedy.append((by.max(axis=1) - by["a"]).mean())
        honest.append(
            evaluation(frame).route(by="intent", default="a", correction=None, random_state=seed).gain["gain"].item()
        )
    assert np.mean(greedy) > 0.03
    assert abs(np.mean(honest)) < 0.01


def test_losses_clusters_and_more_models() -> None:
    bank = dfevals.datasets.load("bank")
    ev = bank.evals(
        y_true="y", pos_label="yes", y_score={"logistic": "p_logistic", "gbm": "p_gbm", "forest": "p_forest"}
    )
    result = ev.route(by="job", metric="brier", default="logistic")
    assert set(result.routes.values()) <= {"gbm", "forest"}
    assert len(result.routes) >= 2
    assert (result.frame.loc[result.frame["model"] != "logistic", "difference"] < 0).all()
    assert result.gain["value_routed"].item() < result.gain["value_default"].item()
    assert result.gain["gain"].item() > 0
    clustered = evaluation(intents(special=(2,)).assign(user=lambda d: np.arange(len(d)) // 4), cluster="user")
    assert clustered.route(by="intent", default="a").routes == {"intent == 'i2'": "b"}


def test_the_best_model_is_the_default_when_none_is_named() -> None:
    frame = intents(special=tuple(range(8)))
    result = evaluation(frame).route(by="intent")
    assert result.default == "b"
    assert result.routes == {}
    assert any("No cohort has evidence" in note for note in result.notes)


def test_written_routes_read_back_the_same() -> None:
    frame = intents(special=(2, 5))
    result = evaluation(frame).route(by="intent", default="a")
    plain = json.loads(result.to_json())
    assert plain == tomllib.loads(result.to_toml())
    assert plain["default"] == "a"
    first = plain["routes"][0]
    evidence = first.pop("evidence")
    assert first == {"when": "intent == 'i2'", "cohort": {"intent": "i2"}, "model": "b"}
    row = result.frame.set_index("intent").loc["i2"]
    assert list(evidence) == ["n", "value_a", "value_b", "difference", "ci_low", "ci_high", "p_corrected"]
    assert list(evidence.values()) == pytest.approx(row[list(evidence)].tolist(), rel=1e-5)
    model = result.model_for(frame)
    assert (model == np.where(frame["intent"].isin(["i2", "i5"]), "b", "a")).all()
    hostile = frame.assign(intent=frame["intent"].str.replace("i2", 'x"]\n[evil'))
    again = evaluation(hostile).route(by="intent", default="a")
    assert tomllib.loads(again.to_toml()) == json.loads(again.to_json())


def test_long_frames_of_outcomes() -> None:
    wide = intents(special=(1,))
    parts = [
        pd.DataFrame({"task": wide.index, "intent": wide["intent"], "agent": m, "passed": wide[m] == wide["y"]})
        for m in ("a", "b")
    ]
    ev = pd.concat(parts, ignore_index=True).evals(outcomes="passed", model="agent", id="task")
    result = ev.route(by="intent", default="a")
    assert result.routes == {"intent == 'i1'": "b"}
    assert result.frame["metric"].iloc[0] == "pass_rate"


def test_rows_without_a_value_are_counted_and_zero_has_no_sign() -> None:
    parts = [pd.DataFrame({"id": range(60), "model": m, "g": ["x", "y"] * 30, "ok": [1.0] * 60}) for m in ("a", "b")]
    parts[1].loc[:4, "ok"] = np.nan
    result = (
        pd.concat(parts, ignore_index=True)
        .evals(outcomes=["ok"], model="model", id="id")
        .route(by="g", metric="fail_rate", default="a")
    )
    assert "5 rows on which a model has no value are left out." in result.notes
    assert result.frame["n"].tolist() == [27, 28]
    assert "-0.0" not in result.to_json()
    assert not np.signbit(result.frame[["value_a", "value_b", "difference"]].to_numpy(float)).any()


def test_mistakes_name_the_fix(tmp_path: object) -> None:
    ev = evaluation(intents(50, 2))
    with pytest.raises(CohortError, match="needs cohorts"):
        ev.route()
    with pytest.raises(CohortError, match="overlap"):
        ev.route(by=dfevals.each("intent", "y"))
    with pytest.raises(MetricError, match="average over rows"):
        ev.route(by="intent", metric="f1")
    with pytest.raises(MetricError, match="one metric"):
        ev.route(by="intent", metric=["accuracy", "recall"])
    with pytest.raises(RoleError, match="no model 'c'"):
        ev.route(by="intent", default="c")
    with pytest.raises(RoleError, match="two models"):
        ev.route(by="intent", models=["a"])
    with pytest.raises(DataError, match="n_splits"):
        ev.route(by="intent", n_splits=1)
    with pytest.raises(DfevalsError, match="correction"):
        ev.route(by="intent", correction="holmes")
