"""Running systems over a frame: what they may be, what comes back, and that nothing is lost or repeated."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dfevals.evaluators import run
from dfevals.exceptions import DataError, RoleError


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"question": ["a", "b", "c"], "topic": ["x", "y", "x"]}, index=[5, 6, 7])


def go(frame: pd.DataFrame, systems: Any, **options: Any) -> pd.DataFrame:
    return run(frame, systems, **{"progress": False, "backoff": 0.001, **options})


def test_the_long_frame(frame: pd.DataFrame) -> None:
    before = frame.copy()
    out = go(frame, {"one": lambda question: question.upper(), "two": lambda row: row["question"] + row["topic"]})
    pd.testing.assert_frame_equal(frame, before)
    assert list(out.columns) == [
        "id", "question", "topic", "model", "response", "tool_calls", "latency", "tokens", "error", "attempt",
    ]  # fmt: skip
    assert out["id"].tolist() == [5, 6, 7] * 2
    assert out["model"].tolist() == ["one"] * 3 + ["two"] * 3
    assert out["response"].tolist() == ["A", "B", "C", "ax", "by", "cx"]
    assert out["tool_calls"].tolist() == ["[]"] * 6
    assert out["latency"].ge(0).all()
    assert out["error"].isna().all()
    settings = json.loads(out.attrs["dfevals_run"])
    assert settings["errors"] == {"one": 0, "two": 0}


def test_async_and_objects_with_invoke_and_what_they_return(frame: pd.DataFrame) -> None:
    async def later(question: str) -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"response": question, "tool_calls": [{"name": "f", "arguments": {}}], "tokens": 7, "cost": 0.5}

    class Chain:
        def invoke(self, inputs: dict[str, Any]) -> dict[str, Any]:
            message = {"content": None, "tool_calls": [{"function": {"name": "g", "arguments": "{}"}}]}
            return {"choices": [{"message": message}], "usage": {"total_tokens": 9}}

    out = go(frame, {"later": later, "chain": Chain(), "number": lambda x: 3.5, "raw": lambda x: {"a": 1}})
    first = out.groupby("model", sort=False).first()
    assert first["response"].tolist() == ["a", "", "3.5", '{"a": 1}']
    assert first["tokens"].tolist()[:2] == [7, 9]
    assert "cost" in out
    assert json.loads(out["tool_calls"].iloc[3])[0]["function"]["name"] == "g"


def test_errors_retries_and_time_outs(frame: pd.DataFrame) -> None:
    tries: dict[str, int] = {}
    forever = threading.Event()

    def flaky(question: str) -> str | None:
        tries[question] = tries.get(question, 0) + 1
        if question == "a" and tries[question] < 3:
            raise ConnectionError("reset")
        if question == "b":
            raise ValueError("never")
        if question == "c":
            return None
        return "fine"

    out = go(frame, {"flaky": flaky})
    assert out["attempt"].tolist() == [3, 3, 3]
    assert out["response"].isna().tolist() == [False, True, True]
    assert out["error"].iloc[1] == "ValueError: never"
    assert "returned nothing" in out["error"].iloc[2]

    def hang(question: str) -> str:
        if question == "b":
            forever.wait(20)
        return "ok"

    late = go(frame, {"hang": hang}, timeout=0.2)
    forever.set()
    assert late["error"].notna().tolist() == [False, True, False]
    assert "no answer within 0.2 s" in late["error"].iloc[1]


def test_seeds_are_the_same_for_all_systems(frame: pd.DataFrame) -> None:
    def one(question: str, seed: int) -> str:
        return str(seed)

    def two(row: dict[str, Any], seed: int | None = None) -> str:
        return str(seed)

    out = go(frame, {"one": one, "two": two}, random_state=3)
    assert out["response"].tolist()[:3] == out["response"].tolist()[3:]
    assert out["response"].nunique() == 3
    again = go(frame, {"one": one}, random_state=4)
    assert set(again["response"]).isdisjoint(out["response"])


def test_a_killed_run_repeats_no_call_and_loses_no_result(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame = pd.DataFrame({"question": [str(i) for i in range(30)]})
    calls: list[str] = []

    def one(question: str) -> str:
        calls.append(question)
        return question * 2

    path = tmp_path / "run.sqlite"
    full = go(frame, {"one": one}, cache=path, max_concurrency=1)
    assert len(calls) == 30
    again = go(frame, {"one": one}, cache=path)
    assert len(calls) == 30
    pd.testing.assert_frame_equal(full, again)
    more = pd.DataFrame({"question": ["29", "new"]})
    assert go(more, {"one": one}, cache=path)["response"].tolist() == ["2929", "newnew"]
    assert calls[30:] == ["new"]


def test_interrupting_keeps_what_was_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dfevals.evaluators import running

    frame = pd.DataFrame({"question": [str(i) for i in range(20)]})
    calls: list[str] = []

    def one(question: str) -> str:
        calls.append(question)
        return question

    put = running.Cache.put

    def put_some(self: Any, items: Any) -> None:
        if len(self) == 10:
            raise KeyboardInterrupt
        put(self, items)

    monkeypatch.setattr(running.Cache, "put", put_some)
    with pytest.raises(KeyboardInterrupt):
        go(frame, {"one": one}, cache=tmp_path / "c", max_concurrency=1)
    monkeypatch.undo()
    calls.clear()
    out = go(frame, {"one": one}, cache=tmp_path / "c", max_concurrency=1)
    assert len(calls) == 10
    assert out["response"].tolist() == frame["question"].tolist()


def test_what_is_wrong_is_said(frame: pd.DataFrame) -> None:
    with pytest.raises(RoleError, match="Did you mean 'question'"):
        go(frame, {"one": lambda qestion: ""})
    with pytest.raises(RoleError, match="names no column"):
        go(frame, {"one": lambda question, other: ""})
    with pytest.raises(DataError, match="already has a column 'response'"):
        go(frame.assign(response=1), {"one": lambda row: ""})
    with pytest.raises(DataError, match="index is not unique"):
        go(pd.concat([frame, frame]), {"one": lambda row: ""})
    with pytest.raises(DataError, match="is not unique"):
        go(frame, {"one": lambda row: ""}, id="topic")
    with pytest.raises(RoleError, match="id column"):
        go(frame, {"one": lambda row: ""}, id="idd")
    with pytest.raises(DataError, match="not callable"):
        go(frame, {"one": "gpt"})
    with pytest.raises(DataError, match="mapping"):
        go(frame, {})
    assert len(go(frame.head(0), {"one": lambda row: ""})) == 0
