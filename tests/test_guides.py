"""The code of guides that stands without its output runs on frames such as the text speaks of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.exceptions import ReleaseBlocked
from evaluators import judge_server

GUIDES = Path(__file__).parents[1] / "docs" / "guides"


def code(guide: str) -> list[str]:
    """Blocks of Python that are no examples with output."""
    blocks = re.findall(r"^```python\n(.*?)^```", (GUIDES / f"{guide}.md").read_text(), re.DOTALL | re.MULTILINE)
    return [block for block in blocks if ">>>" not in block]


@pytest.fixture
def names() -> dict[str, Any]:
    """What the guides call `df`, `served` and `ev`."""
    rng = np.random.default_rng(0)
    n = 400
    answers = pd.DataFrame(
        {
            "response": ['{"name": "Ann"}', "Paris lies on the Seine [1]."] * n,
            "answer": "Paris lies on the Seine.",
            "passages": "Paris, on the Seine, is the capital of France.",
            "schema": '{"type": "object"}',
            "intent": np.repeat(["order", "refund"], n),
            "judge": rng.integers(0, 2, 2 * n),
            "human": rng.integers(0, 2, 2 * n),
        }
    )
    served = pd.DataFrame(
        {
            "id": np.tile(np.arange(n), 2),
            "model": np.repeat(["baseline", "candidate"], n),
            "conversation": np.tile(np.arange(n) // 2, 2),
            "intent": np.tile(["order", "refund"], n),
            "release": "7",
            "label": np.tile(rng.integers(0, 2, n), 2),
            "predicted": rng.integers(0, 2, 2 * n),
            "solved": rng.random(2 * n) < 0.8,
            "latency": rng.gamma(3, 0.5, 2 * n),
            "tokens": rng.integers(100, 300, 2 * n),
            "cost": rng.gamma(3, 0.001, 2 * n),
        }
    )
    ev = served.evals(
        y_true="label", y_pred="predicted", outcomes=["solved"], model="model", id="id", cluster="conversation"
    )
    return {"pd": pd, "dfevals": dfevals, "Gate": dfevals.Gate, "df": answers, "served": served, "ev": ev}


def test_code_of_the_guide_to_evaluators(names: dict[str, Any]) -> None:
    evaluators, own, run, systems = code("evaluators")
    exec(evaluators, names)  # noqa: S102 (our own page)
    assert names["checked"].evals().metrics("fail_rate", by="intent").frame["n"].gt(0).all()
    exec(own, names)  # noqa: S102
    assert names["df"].evals.annotate([names["cites_a_source"]])["cites_a_source_passed"].mean() == 0.5

    names["df"] = names["df"][["passages", "intent"]].head(40)
    names |= {"fn": lambda passages: passages, "fn2": lambda passages: "Rome lies on the Tiber."}
    exec(run, names)  # noqa: S102
    compared = names["ev"].compare("candidate", "baseline", metrics="fail_rate")
    assert compared.paired
    assert compared.frame["difference"].tolist() == [1.0]

    asked: list[dict[str, Any]] = []

    def answer(_: int, body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        asked.append(body)
        return 200, judge_server.completion("Oui."), {}

    with judge_server.serving(answer) as server:
        names["df"] = pd.DataFrame({"text": ["Yes.", "No."]})
        exec(systems.replace("http://127.0.0.1:8000/v1", server.url), names)  # noqa: S102
    assert sorted(body["messages"][-1]["content"] for body in asked)[0] == "Translate into French: No."
    assert len(asked) == 4


def test_code_of_the_guide_to_gates(names: dict[str, Any]) -> None:
    gate, served = code("gates")
    with pytest.raises(ReleaseBlocked):
        exec(gate, names)  # noqa: S102
    assert set(names["result"].frame["intent"]) == {"(overall)", "order", "refund"}
    exec(served, names)  # noqa: S102


def test_code_of_the_guide_to_judges(names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    asks, agreement = code("judges")
    asked: list[object] = []

    def annotate(_: object, evaluators: list[object], **options: object) -> None:
        asked.extend([*evaluators, options])

    monkeypatch.setattr("dfevals.accessor.EvalsAccessor.annotate", annotate)  # nothing is sent
    exec(asks, names)  # noqa: S102
    assert [type(one).__name__ for one in asked] == ["Judge", "dict"]
    names["ev"] = names["df"].evals(outcomes=["judge", "human"])
    exec(agreement, names)  # noqa: S102


def test_code_of_the_guide_to_judged_rates() -> None:
    rng = np.random.default_rng(0)
    label = rng.random(900) < 0.3
    judge = np.where(rng.random(900) < 0.9, label, ~label)
    frame = pd.DataFrame({"judge": judge, "human": pd.Series(label).where(np.arange(900) < 200)})
    held: dict[str, Any] = {"ev": frame.assign(lang=rng.choice(["en", "fr"], 900)).evals(outcomes=["judge", "human"])}
    for block in code("judged_rates"):
        exec(block, held)  # noqa: S102
    assert held["picked"]["label_next"].sum() == 100
    assert held["again"].frame["value"].notna().all()
