"""One call in the form of every provider and framework; what is no call; forms that nobody knows; real traces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.evaluators import TaskCompletion, ToolArgumentAccuracy, ToolSelectionAccuracy, TrajectoryMatch
from dfevals.evaluators.tool_calls import Call, MalformedCall, UnknownStructure, parse_calls

WHAT = {"city": "Rome", "nights": 2}
TEXT = json.dumps(WHAT)
EXPECTED = [{"name": "book", "arguments": WHAT}]
OPENAI = {"id": "c1", "type": "function", "function": {"name": "book", "arguments": TEXT}}
GEMINI = {"functionCall": {"name": "book", "args": WHAT}}
BLOCK = {"type": "tool_use", "id": "t1", "name": "book", "input": WHAT}
ITEM = {"type": "function_call", "call_id": "c1", "name": "book", "arguments": TEXT}
FORMS: dict[str, Any] = {
    "gemini message": {"role": "model", "parts": [GEMINI]},
    "gemini with text": {"role": "model", "parts": [{"text": "I will book."}, {**GEMINI, "thoughtSignature": "x"}]},
    "gemini parts": [{"text": "I will book."}, GEMINI],
    "gemini answer": {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": "Hm.", "thought": True}, GEMINI]},
                "finishReason": "STOP",
            }
        ],
        "usageMetadata": {"promptTokenCount": 3},
    },
    "gemini client": {
        "candidates": [
            {
                "content": {
                    "role": "model",
                    "parts": [{"thought": None, "text": None, "function_call": {"id": None, "name": "book", "args": WHAT}}],
                },
                "finish_reason": "STOP",
            }
        ],
        "prompt_feedback": None,
    },
    "inspect": {"id": "1", "function": "book", "arguments": WHAT, "type": "function", "parse_error": None},
    "inspect short": [{"function": "book", "arguments": WHAT}],
    "inspect output": {"model": "m", "choices": [{"message": {"role": "assistant", "content": "", "tool_calls": [
        {"id": "1", "function": "book", "arguments": WHAT}]}}]},
    "leaderboard raw": [{"book": TEXT}],
    "leaderboard raw, one": {"book": TEXT},
    "bedrock": {
        "output": {
            "message": {
                "role": "assistant",
                "content": [{"text": "Yes."}, {"toolUse": {"toolUseId": "t", "name": "book", "input": WHAT}}],
            }
        },
        "stopReason": "tool_use",
    },
    "cohere, version 1": {"text": "Yes.", "tool_calls": [{"name": "book", "parameters": WHAT}], "finish_reason": "COMPLETE"},
    "cohere, version 2": {"id": "1", "message": {"role": "assistant", "tool_plan": "Book.", "tool_calls": [OPENAI]}},
    "cohere text": f'```json\n[{{"tool_name": "book", "parameters": {TEXT}}}]\n```',
    "mistral": {"choices": [{"message": {"role": "assistant", "content": "", "tool_calls": [OPENAI]}}]},
    "mistral text": f'[TOOL_CALLS][{{"name": "book", "arguments": {TEXT}}}]',
    "llama text": f'<|python_tag|>{{"name": "book", "parameters": {TEXT}}}',
    "ollama": {"model": "m", "message": {"role": "assistant", "tool_calls": [{"function": {"name": "book", "arguments": WHAT}}]}},
    "langchain": {
        "type": "ai",
        "content": [BLOCK],
        "tool_calls": [{"name": "book", "args": WHAT, "id": "c", "type": "tool_call"}],
        "invalid_tool_calls": [],
        "additional_kwargs": {"tool_calls": [OPENAI]},
    },
    "vercel": {"type": "tool-call", "toolCallId": "c", "toolName": "book", "input": WHAT},
    "pydantic": {"parts": [{"part_kind": "text", "content": "Yes."}, {"part_kind": "tool-call", "tool_name": "book", "args": TEXT}]},
    "opentelemetry": [{"role": "assistant", "parts": [{"type": "text", "content": "Yes."},
                                                      {"type": "tool_call", "id": "1", "name": "book", "arguments": WHAT}]}],
    "openinference": {
        "message.role": "assistant",
        "message.tool_calls": [{"tool_call.function.name": "book", "tool_call.function.arguments": TEXT}],
    },
    "mcp": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "book", "arguments": WHAT}},
    "openai batch": {"custom_id": "r", "response": {"status_code": 200, "body": {"choices": [
        {"message": {"role": "assistant", "tool_calls": [OPENAI]}}]}}, "error": None},
    "anthropic batch": {"custom_id": "r", "result": {"type": "succeeded", "message": {"role": "assistant", "content": [BLOCK]}}},
    "openai response": {"object": "response", "error": None, "tools": [{"type": "function", "name": "book"}],
                        "output": [{"type": "reasoning", "summary": []}, ITEM]},
    "openai items": [ITEM, {"type": "function_call_output", "call_id": "c1", "output": "booked"}],
    "anthropic conversation": [
        {"role": "assistant", "content": ["Yes.", BLOCK]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "booked"}]},
    ],
    "openai conversation": [
        {"role": "system", "content": "You book."},
        {"role": "user", "name": "alice", "content": "Book Rome."},
        {"role": "assistant", "content": None, "tool_calls": [OPENAI]},
        {"role": "tool", "name": "book", "tool_call_id": "c1", "content": "booked"},
        {"role": "function", "name": "book", "content": "booked"},
        {"role": "assistant", "name": "agent", "content": "Done."},
    ],
    "hermes message": {"role": "assistant", "content": f'Yes.\n<tool_call>\n{{"name": "book", "arguments": {TEXT}}}\n</tool_call>'},
    "deepeval": {"name": "book", "inputParameters": WHAT},
    "llama index": {"tool_id": "x", "tool_name": "book", "tool_kwargs": WHAT},
    "objects in a row": f'{{"name": "book", "arguments": {TEXT}}}\n',
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_call_as_objects_as_text_and_as_arrays(form: str) -> None:
    written = FORMS[form]
    forms = [written]
    if not isinstance(written, str):
        forms += [json.dumps(written), json.dumps(json.dumps(written)), as_arrays(written)]
    for one in forms:
        assert parse_calls(one) == [Call("book", WHAT)]
        for check in (ToolArgumentAccuracy(), ToolSelectionAccuracy()):
            assert check.evaluate(tool_calls=one, expected_tool_calls=EXPECTED).passed
            assert check.evaluate(tool_calls=one, expected_tool_calls=[]).score == 0.0


def as_arrays(value: Any) -> Any:
    """The value as pandas gives it from a nested column of Parquet."""
    if isinstance(value, dict):
        return {key: as_arrays(item) for key, item in value.items()}
    if isinstance(value, list):
        out = np.empty(len(value), dtype=object)
        out[:] = [as_arrays(item) for item in value]
        return out
    return np.int64(value) if type(value) is int else value


@pytest.mark.parametrize(
    "written",
    [
        [],
        {"role": "model", "parts": [{"text": "Hello."}]},
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hello."}]}, "finishReason": "STOP"}]},
        {"candidates": [{"finishReason": "SAFETY"}]},
        {"role": "tool", "name": "book", "content": "booked"},
        {"role": "tool", "function": "book", "content": "booked", "tool_call_id": "1"},
        {"role": "function", "name": "book", "content": "{}"},
        {"role": "user", "name": "alice", "content": "Hello."},
        {"role": "assistant", "name": "agent", "content": "Hello."},
        {"role": "user", "parts": [{"functionResponse": {"name": "book", "response": {"ok": True}}}]},
        {"type": "tool", "name": "book", "content": "booked", "tool_call_id": "1"},
        {"part_kind": "tool-return", "tool_name": "book", "content": "booked"},
        {"type": "tool-result", "toolCallId": "c", "toolName": "book", "input": {}, "output": 1},
        {"content": "Hello.", "tool_calls": None},
        {"choices": [{"message": {"role": "assistant", "content": "Hello.", "tool_calls": None}}]},
        {"object": "response", "output": []},
        {"output": {"message": {"role": "assistant", "content": [{"text": "Hello."}]}}},
    ],
    ids=str,
)
def test_what_was_said_or_given_back_is_no_call(written: object) -> None:
    assert parse_calls(written) == []
    assert ToolSelectionAccuracy().evaluate(tool_calls=written, expected_tool_calls=[]).passed
    assert ToolSelectionAccuracy().evaluate(tool_calls=written, expected_tool_calls=EXPECTED).score == 0.0


@pytest.mark.parametrize(
    "written",
    [
        {"foo": 1, "bar": 2},
        [{"foo": 1, "bar": {"a": 1}}],
        {"answer": "Paris"},
        {"function": {"x": 1}},
        {"type": ["x"]},
        {"index": 0, "function": {"arguments": '{"a'}},
        {"choices": []},
        {"candidates": []},
        {"error": {"message": "overloaded"}},
        {"object": "response", "status": "failed", "error": {"code": "server_error"}, "output": []},
        {"custom_id": "1", "response": {"status_code": 500, "body": {"error": {"message": "x"}}}},
        {"custom_id": "1", "result": {"type": "errored", "error": {"message": "x"}}},
        "null",
        7,
        0.5,
        [1],
    ],
    ids=str,
)
@pytest.mark.parametrize("expected", [EXPECTED, []], ids=["one", "none"])
def test_a_form_that_is_not_known_is_an_error_and_no_score(written: Any, expected: list[Any]) -> None:
    with pytest.raises(UnknownStructure):
        parse_calls(written)
    checks = [ToolSelectionAccuracy(), ToolArgumentAccuracy(), TrajectoryMatch(), TaskCompletion()]
    for check in checks:
        for one in (written, json.dumps(written)) if isinstance(written, dict) else (written,):
            found = check.evaluate(tool_calls=one, expected_tool_calls=expected)
            assert "cannot be read" in str(found.error)
            assert found.passed is None
            assert np.isnan(found.score)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({"book": '{"city": '}, "not valid JSON"),
        ({"name": "book", "arguments": '{"nights": NaN}'}, "not valid JSON"),
        ({"function": "book", "arguments": {}, "parse_error": "no JSON"}, "could not be read"),
        ({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}, "malformed"),
        ({"type": "ai", "content": "", "tool_calls": [], "invalid_tool_calls": [{"name": "book"}]}, "not valid"),
        ('[{"name": "book", "argu', "neither JSON nor calls"),
    ],
)
def test_a_call_that_the_model_wrote_wrongly_scores_0(written: object, reason: str) -> None:
    with pytest.raises(MalformedCall, match=reason):
        parse_calls(written)
    for expected in (EXPECTED, []):
        found = ToolArgumentAccuracy().evaluate(tool_calls=written, expected_tool_calls=expected)
        assert (found.score, found.error) == (0.0, None)


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("I cannot do that (sorry).", True),
        ("42", True),
        ("北京", True),
        ("a " * 100_000, True),
        ("book(", False),
        ("Sure: [book(city='Rome')]", False),
        ('{"name": "book", ', False),
        ("<tool_call>", False),
        ("book(1)", False),
    ],
)
def test_a_text_is_no_call_where_none_was_expected_and_a_broken_call_is_one(written: str, right: bool) -> None:
    for check in (ToolSelectionAccuracy(), ToolArgumentAccuracy(), TrajectoryMatch(), TaskCompletion(extra="forbid")):
        assert check.evaluate(tool_calls=written, expected_tool_calls=[]).score == float(right)
        found = check.evaluate(tool_calls=written, expected_tool_calls=EXPECTED)
        assert (found.score, found.error) == (0.0, None)


def test_parallel_calls_keep_their_order_and_ids_do_not_matter() -> None:
    two = [{**BLOCK, "id": "t1"}, {**BLOCK, "id": "t2", "input": {"city": "Oslo"}}]
    again = [{**BLOCK, "id": "x"}, {**BLOCK, "id": "x", "input": {"city": "Oslo"}}]
    assert [call.arguments for call in parse_calls(two)] == [WHAT, {"city": "Oslo"}]
    assert ToolArgumentAccuracy(ordered=True).evaluate(tool_calls=two, expected_tool_calls=again).passed
    lines = '{"name": "a", "parameters": {}}\n{"name": "b", "parameters": {}}; {"c": {}}'
    assert [call.name for call in parse_calls(lines)] == ["a", "b", "c"]


def test_the_reason_stays_short_however_many_calls_there_are() -> None:
    found = ToolSelectionAccuracy().evaluate(tool_calls=["look"] * 1000, expected_tool_calls=[])
    assert found.reason == f"not expected: {', '.join(['look'] * 10)} and 990 more"


def test_tools_that_the_server_runs_are_calls_too() -> None:
    search = {"type": "web_search_call", "id": "w", "action": {"type": "search", "query": "Rome"}}
    assert parse_calls([search]) == [Call("web_search", {"type": "search", "query": "Rome"})]
    for free in (
        {"type": "custom_tool_call", "name": "sql", "input": "SELECT 1"},
        {"tool": "sql", "tool_input": "SELECT 1"},
    ):
        assert parse_calls(free) == [Call("sql", {"input": "SELECT 1"})]


def test_nested_calls_keep_their_verdicts_on_the_way_through_parquet(tmp_path: Path) -> None:
    made = [
        [{"name": "book", "arguments": {"city": "Rome", "tags": ["a", "b"]}}],
        [{"name": "pay", "arguments": {"amount": 3}}, {"name": "book", "arguments": {"city": "Oslo", "tags": []}}],
        [{"name": "pay", "arguments": {"amount": 4}}],
        [],
    ]
    expected = [made[0], made[1][::-1], made[0], []]
    frame = pd.DataFrame({"tool_calls": made, "expected_tool_calls": expected})
    frame.to_parquet(tmp_path / "calls.parquet")
    read = pd.read_parquet(tmp_path / "calls.parquet")
    for check in (ToolArgumentAccuracy(), ToolSelectionAccuracy(), TrajectoryMatch(mode="any_order"), TaskCompletion()):
        before = frame.evals.annotate([check], progress=False)
        after = read.evals.annotate([check], progress=False)
        assert before[check.name].tolist() == [1.0, 1.0, 0.0, 1.0]
        assert after[check.name].tolist() == before[check.name].tolist()


AIRLINE_READS = ["get_*", "search_*", "list_*", "calculate", "think"]


@pytest.fixture(scope="module")
def traces() -> pd.DataFrame:
    return dfevals.datasets.load("taubench")


@pytest.mark.parametrize(
    ("options", "agreement", "sensitivity", "specificity"),
    [
        ({}, 0.77, 57 / 84, 97 / 116),
        ({"extra": "forbid", "harmless": AIRLINE_READS}, 0.74, 35 / 84, 113 / 116),
        ({"extra": "forbid", "harmless": [*AIRLINE_READS, "transfer_to_human_agents"]}, 0.935, 74 / 84, 113 / 116),
    ],
    ids=["default", "reads harmless", "hand-over harmless too"],
)
@pytest.mark.parametrize("column", ["tool_calls", "messages"])
def test_figures_of_task_completion_on_real_traces(
    traces: pd.DataFrame, column: str, options: dict[str, Any], agreement: float, sensitivity: float, specificity: float
) -> None:
    check = TaskCompletion(tool_calls=column, expected_tool_calls="expected_actions", **options)
    passed = traces.evals.annotate([check], progress=False)["task_completion_passed"].astype(bool)
    right = traces["reward"] == 1
    assert (passed == right).mean() == pytest.approx(agreement)
    assert passed[right].mean() == pytest.approx(sensitivity)
    assert (~passed[~right]).mean() == pytest.approx(specificity)
    assert f"{agreement:.1%}".replace(".0%", "%").replace("%", " %") in TaskCompletion.record.accuracy


@pytest.mark.parametrize("column", ["tool_calls", "messages"])
def test_results_of_tools_are_no_steps_in_real_traces(traces: pd.DataFrame, column: str) -> None:
    shares = []
    for made, wanted in zip(traces["tool_calls"], traces["expected_actions"], strict=True):
        left = [(c["name"], c["kwargs"]) for c in json.loads(wanted)]
        steps = [(c["name"], json.loads(c["arguments"])) for c in json.loads(made)]
        hits = 0
        for step in steps:
            if step in left:
                left.remove(step)
                hits += 1
        shares.append(hits / len(steps) if steps else float(not left))
    check = TrajectoryMatch(mode="precision", trajectory=column, expected_tool_calls="expected_actions", exact=True)
    found = traces.evals.annotate([check], progress=False)["trajectory_match"]
    assert found.tolist() == pytest.approx(shares)
    loose = TrajectoryMatch(mode="precision", trajectory=column, expected_tool_calls="expected_actions", name="loose")
    assert traces.evals.annotate([loose], progress=False)["loose"].mean() == pytest.approx(0.334, abs=5e-4)


def test_the_final_state_is_the_response_also_beside_calls() -> None:
    frame = pd.DataFrame({"tool_calls": ["[]"], "response": ['{"a": 1}'], "reference": ['{"a": 1, "gone": null}']})
    assert frame.evals.annotate([TaskCompletion()], progress=False)["task_completion"].tolist() == [1.0]
    only_calls = frame[["tool_calls", "reference"]].evals.annotate([TaskCompletion()], progress=False)
    assert "final state is missing" in only_calls["task_completion_error"].iloc[0]
    assert "must be text" in str(TaskCompletion().evaluate(response=7.5, reference={"a": 1}).error)
