"""Running systems over a frame: what they may be, what comes back, and that nothing is lost or repeated."""

from __future__ import annotations

import asyncio
import functools
import json
import signal
import subprocess
import sys
import threading
import time
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


PROGRAM = """
import sys, time
import pandas as pd
import dfevals

calls, cache, kind = sys.argv[1:]

def note(question):
    with open(calls, "a") as file:
        file.write(question + "\\n")

def plain(question):
    note(question)
    time.sleep(0.02)
    return question * 2

async def later(question):
    import asyncio
    note(question)
    await asyncio.sleep(0.02)
    return question * 2

frame = pd.DataFrame({"question": [str(i) for i in range(200)]})
system = {"plain": plain, "later": later}[kind]
try:
    out = dfevals.run(frame, {"one": system}, cache=cache, max_concurrency=4, progress=False)
except KeyboardInterrupt:
    time.sleep(0.2)  # a notebook lives on; the calls under way end
    sys.exit(9)
assert out["response"].tolist() == [q * 2 for q in frame["question"]]
"""


@pytest.mark.parametrize(
    ("kind", "sign", "repeated"),
    [("plain", signal.SIGKILL, 4), ("later", signal.SIGKILL, 4), ("plain", signal.SIGINT, 0)],
)
def test_a_process_that_is_ended_goes_on_where_it_was(
    kind: str, sign: signal.Signals, repeated: int, tmp_path: Path
) -> None:
    """Only the four calls under way may be repeated after a kill; after an interruption in a notebook those end too."""
    calls, cache = tmp_path / "calls", tmp_path / "run.sqlite"
    calls.touch()
    program = [sys.executable, "-c", PROGRAM, str(calls), str(cache), kind]
    first = subprocess.Popen(program)
    while len(calls.read_text().split()) < 50:
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(sign)
    assert first.wait() == (9 if sign == signal.SIGINT else -sign)
    before = calls.read_text().split()
    assert len(before) < 150
    assert subprocess.run(program, check=False).returncode == 0
    done = calls.read_text().split()
    assert set(done) == {str(i) for i in range(200)}
    assert len(done) - 200 <= repeated


def test_whatever_a_system_raises_is_an_error_of_its_row(frame: pd.DataFrame) -> None:
    def leaves(question: str) -> str:
        if question == "b":
            raise SystemExit(3)
        return question

    async def cancels(question: str) -> str:
        if question == "b":
            raise asyncio.CancelledError
        return question

    out = go(frame, {"leaves": leaves, "cancels": cancels}, retries=0)
    assert out["response"].isna().tolist() == [False, True, False] * 2
    assert out["error"].dropna().tolist() == ["SystemExit: 3", "CancelledError"]


def test_waiting_for_the_rate_limit_is_no_time_of_the_call() -> None:
    frame = pd.DataFrame({"question": [str(i) for i in range(12)]})

    async def later(question: str) -> str:
        return question

    out = go(frame, {"plain": lambda question: question, "later": later}, rate_limit=20, timeout=0.2)
    assert out["error"].isna().all()


def test_a_cache_that_fails_is_said_and_not_waited_for(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dfevals.evaluators import running

    def full(self: Any, items: Any) -> None:
        raise DataError("cache: disk is full")

    async def later(question: str) -> str:
        return question

    monkeypatch.setattr(running.Cache, "put", full)
    for system in (later, lambda question: question):
        with pytest.raises(DataError, match="disk is full"):
            go(frame, {"one": system}, cache=tmp_path / "c")


class Agent:
    """Holds its prompt and a key, and counts."""

    def __init__(self, prompt: str, key: str = "sk-abcdefghijklmnopqrstuvwxyz") -> None:
        self.prompt, self.key, self.calls = prompt, key, 0

    def __call__(self, question: str) -> str:
        self.calls += 1
        return self.prompt + question

    def answer(self, question: str) -> str:
        return self.prompt + question

    def __repr__(self) -> str:
        return f"Agent({self.prompt!r}, key={self.key!r})"


PROMPT = "be brief: "


def reads_a_global(question: str) -> str:
    return PROMPT + question


def closure(prompt: str) -> Any:
    seen: list[str] = []

    def ask(question: str) -> str:
        seen.append(question)
        return prompt + question

    return ask


def joined(prompt: str, question: str) -> str:
    return prompt + question


@pytest.mark.parametrize(
    "make",
    [Agent, lambda prompt: Agent(prompt).answer, closure, lambda prompt: functools.partial(joined, prompt)],
)
def test_the_cache_knows_what_a_system_holds(make: Any, frame: pd.DataFrame, tmp_path: Path) -> None:
    first = make("one: ")
    for system, answer in ((first, "one: a"), (make("two: "), "two: a"), (make("one: "), "one: a")):
        out = go(frame, {"system": system}, cache=tmp_path / "c")
        assert out["response"].iloc[0] == answer
    with pytest.MonkeyPatch.context() as patch:
        from dfevals.evaluators import running

        patch.setattr(running._System, "ask", lambda *_: pytest.fail("asked again"))
        go(frame, {"system": first}, cache=tmp_path / "c")


def test_the_cache_knows_the_constants_that_a_system_reads(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert go(frame, {"one": reads_a_global}, cache=tmp_path / "c")["response"].iloc[0] == "be brief: a"
    monkeypatch.setitem(globals(), "PROMPT", "be kind: ")
    assert go(frame, {"one": reads_a_global}, cache=tmp_path / "c")["response"].iloc[0] == "be kind: a"


def test_secrets_are_in_no_provenance_error_or_cache(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPANY_TOKEN", "correct-horse-battery")
    agent = Agent("x")

    def fails(question: str) -> str:
        raise RuntimeError(f"401 for {agent.key}, Authorization: Bearer abc.def.ghi and correct-horse-battery")

    out = go(frame, {"agent": agent, "fails": fails}, cache=tmp_path / "c", retries=0)
    assert out["error"].dropna().unique().tolist() == ["RuntimeError: 401 for ***, Authorization: Bearer *** and ***"]
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in (agent.key, "correct-horse-battery", "abc.def.ghi"):
        assert secret not in out.attrs["dfevals_run"]
        assert secret not in out.to_csv()
        assert secret.encode() not in written


def test_answers_of_every_usual_form(frame: pd.DataFrame) -> None:
    from dfevals.evaluators.clients import Completion

    class Message:
        content = "object"
        tool_calls = ()
        usage_metadata = {"total_tokens": 3}  # noqa: RUF012

    blocks = [{"type": "text", "text": "bl"}, {"type": "text", "text": "ocks"}, {"type": "tool_use", "name": "f"}]
    systems = {
        "completion": lambda row: Completion("text", 5),
        "object": lambda row: Message(),
        "anthropic": lambda row: {"content": blocks, "usage": {"input_tokens": 4, "output_tokens": 2}},
        "list": lambda row: [1, {"a": 2}],
        "response of a library": lambda row: threading.Lock(),
    }
    out = go(frame.head(1), systems, retries=0).set_index("model")
    assert out["response"].tolist()[:4] == ["text", "object", "blocks", '[1, {"a": 2}]']
    assert out["tokens"].tolist()[:3] == [5, 3, 6]
    assert json.loads(out.loc["anthropic", "tool_calls"]) == [{"type": "tool_use", "name": "f"}]
    assert "no answer" in out["error"].iloc[-1]


def test_answers_of_the_openai_client(frame: pd.DataFrame) -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    said = [{"type": "output_text", "text": "I look "}, {"type": "output_text", "text": "it up."}]
    declined = {"role": "assistant", "content": None, "refusal": "I cannot help with that."}
    answers: dict[str, Any] = {
        "response": [{"type": "reasoning", "summary": []}, {"type": "message", "content": said}, call],
        "declined response": [{"type": "message", "content": [{"type": "refusal", "refusal": "I cannot."}]}],
    }
    systems = {
        name: lambda row, output=output: {
            "object": "response",
            "error": None,
            "output": output,
            "text": {"format": {"type": "text"}},
            "usage": {"input_tokens": 4, "output_tokens": 2, "total_tokens": 6},
        }
        for name, output in answers.items()
    }
    out = go(frame.head(1), {**systems, "declined": lambda row: {"choices": [{"message": declined}]}}, retries=0)
    assert out["response"].tolist() == ["I look it up.", "I cannot.", "I cannot help with that."]
    assert [json.loads(calls) for calls in out["tool_calls"]] == [[call], [], []]
    assert out["tokens"].tolist()[:2] == [6, 6]


def test_cells_of_every_kind_are_cached(tmp_path: Path) -> None:
    frame = pd.DataFrame({"question": ["a", "b"], "extra": [{1: 2, "b": {None: b"x"}}, pd.Timestamp("2024-05-01")]})
    calls: list[int] = []

    def system(row: Any) -> str:
        calls.append(1)
        return "x"

    for _ in range(2):
        go(frame, {"one": system}, cache=tmp_path / "c")
    assert len(calls) == 2


def test_equal_rows_are_trials_of_their_own_also_from_a_cache(tmp_path: Path) -> None:
    frame = pd.DataFrame({"question": ["a", "a", "b", "a"]})
    calls: list[str] = []

    def draws(question: str) -> str:
        calls.append(question)
        return f"{question}{len(calls)}"

    for concurrency in (1, 4):
        path = tmp_path / f"c{concurrency}"
        calls.clear()
        first = go(frame, {"one": draws}, cache=path, max_concurrency=concurrency)
        assert first["response"].nunique() == 4
        again = go(frame, {"one": draws}, cache=path, max_concurrency=concurrency)
        assert again["response"].tolist() == first["response"].tolist()
        assert len(calls) == 4


def test_two_kernels_share_a_cache(tmp_path: Path) -> None:
    frame = pd.DataFrame({"question": [str(i) for i in range(40)]})
    calls: list[str] = []

    def slow(question: str) -> str:
        calls.append(question)
        time.sleep(0.005)
        return question

    async def later(question: str) -> str:
        calls.append(question)
        await asyncio.sleep(0.005)
        return question

    for system in (slow, later):
        calls.clear()
        kernels = [
            threading.Thread(
                target=lambda f: go(f, {"one": system}, cache=tmp_path / "c", max_concurrency=1),  # noqa: B023
                args=(part,),
            )
            for part in (frame, frame.iloc[::-1])
        ]
        for kernel in kernels:
            kernel.start()
        for kernel in kernels:
            kernel.join()
        assert len(calls) <= 42  # they meet in the middle
        assert go(frame, {"one": system}, cache=tmp_path / "c")["response"].tolist() == frame["question"].tolist()


class Opaque:
    """An object whose text does not tell what it holds."""

    def __init__(self, answer: str) -> None:
        self.answer = answer

    def __repr__(self) -> str:
        return "Opaque()"


def opaque(answer: str) -> list[Any]:
    """Cells that cannot be written exactly, each holding the answer."""
    frame = pd.DataFrame({"x": ["-"] * 100 + [answer] + ["-"] * 100})
    listed = [answer]
    return [frame, frame["x"], Opaque(answer), lambda: listed[0], {"deep": [Opaque(answer)]}]


def held(cell: Any) -> str:
    if isinstance(cell, dict):
        cell = cell["deep"][0]
    if isinstance(cell, Opaque):
        return cell.answer
    return str(cell() if callable(cell) else (cell["x"] if isinstance(cell, pd.DataFrame) else cell).iloc[100])


@pytest.mark.parametrize("kind", range(5))
def test_what_cannot_be_written_exactly_is_not_cached(kind: int, tmp_path: Path) -> None:
    for answer in ("one", "two"):
        frame = pd.DataFrame({"cell": pd.Series([opaque(answer)[kind], "plain"], dtype=object)})
        out = go(frame, {"one": lambda cell: "plain" if isinstance(cell, str) else held(cell)}, cache=tmp_path / "c")
        assert out["response"].tolist() == [answer, "plain"]
        assert json.loads(out.attrs["dfevals_run"])["not_cached"] == {"one": 1}


def test_options_of_a_prompt_and_arguments_of_a_partial_are_part_of_the_key(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    from dfevals.evaluators import PromptTemplate

    def client(messages: list[dict[str, str]], model: str | None, tools: list[Any]) -> str:
        return str(tools[0]["name"])

    def named(tools: list[Any], question: str) -> str:
        return str(tools[0]["name"])

    for name in ("first", "second"):
        prompt = PromptTemplate("{question}", client, "m", tools=[{"name": name}])
        partial = functools.partial(named, [{"name": name}])
        out = go(frame, {"prompt": prompt, "partial": partial}, cache=tmp_path / "c")
        assert set(out["response"]) == {name}


def test_clients_of_two_servers_are_two_systems() -> None:
    from dfevals.evaluators.clients import as_client

    class Client:
        def __init__(self, base_url: str) -> None:
            self.base_url = base_url

        class chat:
            class completions:
                @staticmethod
                def create(**options: Any) -> str:
                    return "x"

    shown = [repr(as_client(Client(f"https://user:secret@{host}:8000/v1"), 5)) for host in ("a", "b")]
    assert shown[0] != shown[1]
    assert "secret" not in "".join(shown)
