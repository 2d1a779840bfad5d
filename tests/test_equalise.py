"""Thresholds by group: rates and costs of the frame they are applied to, and the least cost found by trying all."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.exceptions import CohortError, MetricError

COST = {"fp": 1.0, "fn": 3.0}
RATES = {
    "demographic_parity": lambda y, p: p.mean(),
    "equal_opportunity": lambda y, p: p[y == 1].mean(),
    "predictive_equality": lambda y, p: p[y == 0].mean(),
}


def people(n: int = 2000, digits: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"g": rng.choice(list("uvw"), n, p=[0.5, 0.3, 0.2]), "y": rng.integers(0, 2, n)})
    frame["s"] = np.clip(rng.normal(0.3 + 0.25 * frame["y"] + 0.12 * (frame["g"] == "u"), 0.2), 0, 1).round(digits)
    return frame.assign(t=np.clip(frame["s"] + rng.normal(0, 0.1, n), 0, 1).round(digits))


def asked(frame: pd.DataFrame) -> dfevals.Evaluation:
    return frame.evals(y_true="y", y_score={"s": "s", "t": "t"}, pos_label=1, score_kind="probability")


def cost_of(y: pd.Series, p: pd.Series) -> float:
    return float((COST["fp"] * (p & (y == 0)) + COST["fn"] * (~p & (y == 1))).sum())


@pytest.mark.parametrize("criterion", RATES)
def test_thresholds_do_what_the_frame_says(criterion: str) -> None:
    frame = people()
    result = asked(frame).equalise("g", criterion, cost=COST)
    for model in ("s", "t"):
        found = result.frame[result.frame["model"] == model].set_index("g")
        total = 0.0
        for group, part in frame.groupby("g"):
            for end, cut in (("", found.loc[group, "threshold"]), ("_now", 0.5)):
                p = part[model] >= cut
                assert found.loc[group, f"rate{end}"] == pytest.approx(RATES[criterion](part["y"], p))
                assert found.loc[group, f"cost{end}"] == pytest.approx(cost_of(part["y"], p) / len(part))
            total += cost_of(part["y"], part[model] >= found.loc[group, "threshold"])
        price = result.price.set_index("model").loc[model]
        assert price["cost"] == pytest.approx(total / len(frame))
        assert price["difference"] == pytest.approx(np.ptp(found["rate"]))
        assert price["difference"] < 0.0051 < price["difference_now"]
        assert price["price_low"] < price["price"] < price["price_high"]


def test_no_thresholds_are_cheaper_within_the_difference() -> None:
    frame = people(400, digits=1)
    result = asked(frame).equalise("g", cost=COST, models="s")
    cuts = np.append(np.unique(frame["s"]), np.inf)
    parts = [part for _, part in frame.groupby("g")]
    tried = [
        [(float((part["s"] >= cut).mean()), cost_of(part["y"], part["s"] >= cut)) for cut in cuts] for part in parts
    ]
    every = [(np.ptp([rate for rate, _ in one]), sum(cost for _, cost in one) / len(frame)) for one in product(*tried)]
    for row in result.tradeoff.itertuples():
        least = min(cost for gap, cost in every if gap <= row.difference + 1e-12)
        assert row.cost == pytest.approx(least, abs=1e-12) or row.difference < 2 / 400
    assert (np.diff(result.tradeoff["cost"]) < 0).all()


def test_the_price_covers() -> None:
    result = asked(people()).equalise("g", models="s").price.iloc[0]
    frame = people()
    cut = asked(people()).equalise("g", models="s").frame.set_index("g")["threshold"]
    change = ((frame["s"] >= frame["g"].map(cut)) != frame["y"]).astype(float) - (
        (frame["s"] >= 0.5) != frame["y"]
    ).astype(float)
    assert result["price"] == pytest.approx(change.mean())
    half = 1.959964 * change.std(ddof=0) / np.sqrt(len(change))
    assert result["price_high"] - result["price"] == pytest.approx(half, rel=1e-6)


def test_what_cannot_be_equalised() -> None:
    ev = asked(people())
    with pytest.raises(MetricError, match="demographic_parity"):
        ev.equalise("g", "equalized_odds")
    with pytest.raises(CohortError, match="two or more groups"):
        ev.where("g == 'u'").equalise("g")
    with pytest.raises(MetricError, match="'fp'"):
        ev.equalise("g", cost={"fp": 1})
    with pytest.raises(MetricError, match="fewer than two groups"):
        asked(people().assign(y=lambda f: f["y"] * (f["g"] == "u"))).equalise("g", "equal_opportunity")


def test_the_chart_shows_one_threshold() -> None:
    ax = asked(people()).equalise("g").plot()
    assert [line.get_gid() for line in ax.lines].count("now") == 2
