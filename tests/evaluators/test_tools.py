"""Tool calls in every format, with traps of type, alternatives, order and number."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import dfevals.evaluators as ev
from dfevals.evaluators import TaskCompletion, ToolArgumentAccuracy, ToolSelectionAccuracy, TrajectoryMatch
from dfevals.evaluators.tool_calls import MalformedCall, parse_calls
from dfevals.exceptions import DataError

PLAIN = [{"name": "book", "arguments": {"city": "Rome", "nights": 2}}]
OPENAI = [{"type": "function", "function": {"name": "book", "arguments": '{"city":"Rome","nights":2}'}}]
FORMATS: dict[str, Any] = {
    "plain": PLAIN,
    "args": [{"name": "book", "args": {"city": "Rome", "nights": 2}}],
    "kwargs": [{"name": "book", "kwargs": {"city": "Rome", "nights": 2}}],
    "one mapping": PLAIN[0],
    "keyed": [{"book": {"city": "Rome", "nights": 2}}],
    "json text": json.dumps(PLAIN),
    "fenced": f"```json\n{json.dumps(PLAIN)}\n```",
    "tagged": f"<tool_call>\n{json.dumps(PLAIN[0])}\n</tool_call>",
    "python text": "[book(city='Rome', nights=2)]",
    "python call": 'book(city="Rome", nights=2)',
    "openai": [
        {"id": "c1", "type": "function", "function": {"name": "book", "arguments": '{"city": "Rome", "nights": 2}'}}
    ],
    "openai message": {
        "role": "assistant",
        "content": None,
        "tool_calls": OPENAI,
    },
    "openai completion": {
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "message": {"role": "assistant", "content": None, "tool_calls": OPENAI},
            }
        ],
        "usage": {"total_tokens": 9},
    },
    "openai response": {
        "object": "response",
        "output": [
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I will book it."}]},
            {"type": "function_call", "name": "book", "arguments": '{"city": "Rome", "nights": 2}'},
        ],
    },
    "openai responses": [{"type": "function_call", "name": "book", "arguments": '{"city": "Rome", "nights": 2}'}],
    "openai legacy": {"function_call": {"name": "book", "arguments": '{"city": "Rome", "nights": 2}'}},
    "anthropic": [
        {"type": "text", "text": "I will book it."},
        {"type": "tool_use", "id": "t1", "name": "book", "input": {"city": "Rome", "nights": 2}},
    ],
    "anthropic message": {
        "role": "assistant",
        "content": [{"type": "tool_use", "name": "book", "input": {"city": "Rome", "nights": 2}}],
    },
    "gemini": [{"functionCall": {"name": "book", "args": {"city": "Rome", "nights": 2}}}],
    "array": np.array(PLAIN, dtype=object),
    "texts": [json.dumps(PLAIN[0])],
}


@pytest.mark.parametrize("written", FORMATS.values(), ids=FORMATS)
def test_every_format_is_the_same_call(written: object) -> None:
    (call,) = parse_calls(written)
    assert (call.name, call.arguments) == ("book", {"city": "Rome", "nights": 2})
    assert ToolArgumentAccuracy().evaluate(tool_calls=written, expected_tool_calls=PLAIN).passed


@pytest.mark.parametrize("written", ["", "I cannot do that.", "{}", "[1]", "3", "__import__('os').system(1)", "f(1)"])
def test_what_is_no_call_scores_0_and_is_no_error(written: object) -> None:
    with pytest.raises(MalformedCall):
        parse_calls(written)
    found = ToolSelectionAccuracy().evaluate(tool_calls=written, expected_tool_calls=PLAIN)
    assert (found.score, found.passed, found.error) == (0.0, False, None)


def test_missing_calls_and_a_wrong_expectation_are_errors() -> None:
    assert "tool_calls is missing" in str(
        ToolSelectionAccuracy().evaluate(tool_calls=None, expected_tool_calls=[]).error
    )
    assert "expected_tool_calls cannot be read" in str(
        ToolArgumentAccuracy().evaluate(tool_calls=[], expected_tool_calls="?").error
    )


def test_malformed_arguments_are_the_models_fault() -> None:
    made = [{"function": {"name": "book", "arguments": '{"city": '}}]
    found = ToolArgumentAccuracy().evaluate(tool_calls=made, expected_tool_calls=PLAIN)
    assert found.passed is False
    assert "not valid JSON" in found.reason


@pytest.mark.parametrize(
    ("made", "expected", "score"),
    [
        ([], [], 1.0),
        (["a"], [], 0.0),
        ([], ["a"], 0.0),
        (["a", "b"], ["b", "a"], 1.0),
        (["a", "a"], ["a"], 0.5),
        (["a", "c"], ["a", "b"], 1 / 3),
    ],
)
def test_selection(made: list[str], expected: list[str], score: float) -> None:
    found = ToolSelectionAccuracy().evaluate(tool_calls=made, expected_tool_calls=expected)
    assert found.score == pytest.approx(score)
    assert found.passed == (score == 1.0)


def test_ordered_selection() -> None:
    found = ToolSelectionAccuracy(ordered=True).evaluate(tool_calls=["a", "b"], expected_tool_calls=["b", "a"])
    assert (found.score, found.reason) == (0.0, "the order differs")


ANY = {"any_of": ["NYC", "New York"]}
NESTED = {"passengers": [{"name": "Ann", "age": {"any_of": [30, 31]}}], "class": {"any_of": ["eco"], "optional": True}}
TRAPS: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"n": 5}, {"n": 5}, True),
    ({"n": 5}, {"n": 5.0}, False),
    ({"n": 5.0}, {"n": 5}, True),
    ({"c": {"any_of": ["a"], "optional": True}}, {"c": ""}, True),
    ({"c": {"any_of": [["a"]], "optional": True}}, {"c": []}, True),
    ({"c": {"any_of": [1], "optional": True}}, {"c": ""}, False),
    ({"n": 5}, {"n": "5"}, False),
    ({"n": "5"}, {"n": 5}, False),
    ({"n": 1}, {"n": True}, False),
    ({"n": True}, {"n": 1}, False),
    ({"n": True}, {"n": "true"}, False),
    ({"n": None}, {"n": None}, True),
    ({"n": 0.3}, {"n": 0.1 + 0.2}, True),
    ({"n": 100000}, {"n": 100001}, False),
    ({"c": "San Francisco, CA"}, {"c": "san francisco CA"}, True),
    ({"c": "2024-05-01"}, {"c": "2024/05/01"}, True),
    ({"c": "a+b"}, {"c": "a-b"}, False),
    ({"c": "x"}, {"c": "y"}, False),
    ({"c": ANY}, {"c": "new-york"}, True),
    ({"c": ANY}, {"c": "Boston"}, False),
    ({"c": {"any_of": [1, "one"]}}, {"c": 1}, True),
    ({"c": {"any_of": ["a"], "optional": True}}, {}, True),
    ({"c": {"any_of": ["a"], "optional": True}}, {"c": "b"}, False),
    ({"c": {"any_of": ["a"]}}, {}, False),
    ({"a": 1}, {"a": 1, "b": 2}, False),
    ({"l": [1, 2]}, {"l": [1, 2]}, True),
    ({"l": [1, 2]}, {"l": [2, 1]}, False),
    ({"l": ["A b", "c"]}, {"l": ["a B", "C."]}, True),
    ({"l": {"any_of": [[1, 2], [2, 1]]}}, {"l": [2, 1]}, True),
    (NESTED, {"passengers": [{"name": "ann", "age": 31}]}, True),
    (NESTED, {"passengers": [{"name": "ann", "age": 32}]}, False),
    (NESTED, {"passengers": [{"name": "ann"}]}, False),
    (NESTED, {"passengers": [{"name": "ann", "age": 30, "x": 1}], "class": "eco"}, False),
]


@pytest.mark.parametrize(("expected", "made", "right"), TRAPS)
def test_traps_of_type_and_alternatives(expected: dict[str, Any], made: dict[str, Any], right: bool) -> None:
    found = ToolArgumentAccuracy().evaluate(
        tool_calls=json.dumps([{"name": "f", "arguments": made}]),
        expected_tool_calls=[{"name": "f", "arguments": expected}],
    )
    assert found.passed is right
    assert (found.score == 1.0) is right


def test_exact_compares_texts_as_they_are() -> None:
    roles = {"tool_calls": [{"name": "f", "arguments": {"c": "rome"}}], "expected_tool_calls": "[f(c='Rome')]"}
    assert ToolArgumentAccuracy().evaluate(**roles).passed
    assert ToolArgumentAccuracy(exact=True).evaluate(**roles).passed is False


def test_share_of_right_arguments() -> None:
    found = ToolArgumentAccuracy().evaluate(tool_calls="[f(a=1, b=2, z=3)]", expected_tool_calls="[f(a=1, b=9)]")
    assert found.score == pytest.approx(1 / 3)
    assert "b=2 (int), expected 9 (int)" in found.reason
    assert "z is not expected" in found.reason


def test_parallel_calls_find_their_partners() -> None:
    made, right = "[f(a=1), g(), f(a=2)]", "[f(a=2), f(a=1), g()]"
    assert ToolArgumentAccuracy().evaluate(tool_calls=made, expected_tool_calls=right).passed
    assert ToolArgumentAccuracy(ordered=True).evaluate(tool_calls=made, expected_tool_calls=right).passed is False
    missing = ToolArgumentAccuracy().evaluate(tool_calls="[f(a=1)]", expected_tool_calls=right)
    assert missing.score == pytest.approx(1 / 3)
    assert "g was not called" in missing.reason
    extra = ToolArgumentAccuracy().evaluate(tool_calls="[f(a=1), h()]", expected_tool_calls="[f(a=1)]")
    assert (extra.score, extra.passed) == (0.5, False)


def test_declared_types_are_checked_when_the_definitions_are_given() -> None:
    tools = [
        {
            "type": "function",
            "function": {
                "name": "f",
                "parameters": {"properties": {"n": {"type": "integer"}, "x": {"type": "number"}}, "required": ["x"]},
            },
        }
    ]
    check = ToolArgumentAccuracy()
    roles = {"expected_tool_calls": [{"name": "f", "arguments": {"n": 4, "x": {"any_of": [1], "optional": True}}}]}
    assert check.evaluate(tool_calls="[f(n=4, x=1.0)]", schema=tools, **roles).passed
    assert "declared integer" in check.evaluate(tool_calls="[f(n=4.0, x=1)]", schema=json.dumps(tools), **roles).reason
    assert "x is missing" in check.evaluate(tool_calls="[f(n=4)]", schema=tools, **roles).reason
    assert check.evaluate(tool_calls="[f(n=4)]", **roles).passed


TOOL = {"name": "f", "parameters": {"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}, "required": ["n"]}}
BODY = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.mark.parametrize(
    "tools",
    [
        TOOL,
        [{"functionDeclarations": [TOOL]}],
        {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": BODY}}}]},
        [{"name": "f", "input_schema": BODY}],
        [{"name": "f", "inputSchema": {**BODY, "required": np.array(["n"])}}],
    ],
    ids=["plain", "gemini", "bedrock", "anthropic", "mcp"],
)
def test_definitions_of_every_provider_say_types_and_what_is_required(tools: object) -> None:
    expected = [{"name": "f", "arguments": {"n": {"any_of": [4], "optional": True}}}]
    check = ToolArgumentAccuracy(expected_tool_calls=expected)
    assert "declared" in check.evaluate(tool_calls="[f(n=4.0)]", schema=tools, expected_tool_calls=expected).reason
    assert "n is missing" in check.evaluate(tool_calls="[f()]", schema=tools, expected_tool_calls=expected).reason
    assert check.evaluate(tool_calls="[f(n=4)]", schema=tools, expected_tool_calls=expected).passed


def test_gold_answers_of_the_leaderboard() -> None:
    gold = [{"f": {"a": [1, 2], "unit": ["m", ""], "where": [{"city": ["Rome", "Roma"], "zip": ["1", ""]}]}}]
    expected = ev.expected_from_bfcl(json.dumps(gold))
    check = ToolArgumentAccuracy()
    for made, right in [
        ({"a": 2, "where": {"city": "roma"}}, True),
        ({"a": 1, "unit": "M", "where": {"city": "Rome", "zip": "1"}}, True),
        ({"a": 3, "where": {"city": "Rome"}}, False),
        ({"a": 1, "unit": "km", "where": {"city": "Rome"}}, False),
        ({"a": 1, "where": {"zip": "1"}}, False),
        ({"a": "1", "where": {"city": "Rome"}}, False),
    ]:
        found = check.evaluate(tool_calls=[{"name": "f", "arguments": made}], expected_tool_calls=expected)
        assert found.passed is right, made
    with pytest.raises(DataError, match="gold must be"):
        ev.expected_from_bfcl("[1]")


STEPS = ["look", "wait", "book"]


@pytest.mark.parametrize(
    ("mode", "taken", "score"),
    [
        ("exact", STEPS, 1.0),
        ("exact", ["look", "book", "wait"], 0.0),
        ("in_order", ["x", "look", "wait", "y", "book"], 1.0),
        ("in_order", ["wait", "look", "book"], 0.0),
        ("any_order", ["book", "look", "wait", "x"], 1.0),
        ("any_order", ["book", "look"], 0.0),
        ("precision", ["look", "x"], 0.5),
        ("recall", ["look", "x"], 1 / 3),
        ("f1", ["look", "x"], 0.4),
        ("recall", ["look", "look", "look"], 1 / 3),
    ],
)
def test_trajectories(mode: str, taken: list[str], score: float) -> None:
    found = TrajectoryMatch(mode=mode).evaluate(trajectory=taken, reference=STEPS)
    assert found.score == pytest.approx(score)


def test_trajectory_compares_arguments_where_the_expected_step_has_them() -> None:
    roles = {"trajectory": "[f(a=1)]", "expected_tool_calls": "[f(a=2)]"}
    assert TrajectoryMatch().evaluate(**roles).score == 0.0
    assert TrajectoryMatch(arguments=False).evaluate(**roles).score == 1.0


def test_task_completion_by_actions() -> None:
    roles = {"tool_calls": "[get_user(id=1), pay(n=2), pay(n=3)]", "expected_tool_calls": "[get_user(id=1), pay(n=3)]"}
    assert TaskCompletion().evaluate(**roles).passed
    strict = TaskCompletion(extra="forbid", harmless=["get_*"]).evaluate(**roles)
    assert (strict.score, strict.passed) == (0.5, False)
    half = TaskCompletion().evaluate(tool_calls="[pay(n=3)]", expected_tool_calls=roles["expected_tool_calls"])
    assert (half.score, half.passed) == (0.5, False)


def test_task_completion_by_state() -> None:
    state = {"order": {"status": "Sent", "items": [1, 2]}, "user": "ann"}
    check = TaskCompletion()
    assert check.evaluate(response=state, reference={"order": {"status": "sent", "items": [1, 2]}}).passed
    found = check.evaluate(response=json.dumps(state), reference={"order": {"status": "lost"}, "user": "ann"})
    assert (found.score, found.reason) == (0.5, "$.order.status differs")
    assert "reference must be a mapping" in str(check.evaluate(response=state, reference="[1]").error)
    assert check.evaluate(response="done!", reference={"a": 1}).passed is False


FIVE = [{"name": "order", "arguments": {"pieces": 5}}]


@pytest.mark.parametrize(
    ("given", "same_step", "right_argument"),
    [(5, 1.0, 1.0), (5.0, 1.0, 0.0), ("5", 0.0, 0.0), (True, 0.0, 0.0), (6, 0.0, 0.0)],
    ids=repr,
)
def test_steps_compare_numbers_by_value_and_arguments_also_by_type(
    given: object, same_step: float, right_argument: float
) -> None:
    made = [{"name": "order", "arguments": {"pieces": given}}]
    assert ev.TrajectoryMatch().evaluate(trajectory=made, expected_tool_calls=FIVE).score == same_step
    assert ev.TrajectoryMatch(mode="f1").evaluate(tool_calls=made, reference=FIVE).score == same_step
    assert ev.TaskCompletion().evaluate(tool_calls=made, expected_tool_calls=FIVE).score == same_step
    state = ev.TaskCompletion().evaluate(response={"pieces": given}, reference={"pieces": 5})
    assert state.score == same_step
    assert ev.ToolArgumentAccuracy().evaluate(tool_calls=made, expected_tool_calls=FIVE).score == right_argument
