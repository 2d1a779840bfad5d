"""Answers in the forms of their providers: text, calls, tokens and why they ended, in runs and for judges."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import dfevals
import dfevals.evaluators as ev
from dfevals.evaluators.answers import read_answer, without_thinking
from dfevals.exceptions import DataError

FRAME = pd.DataFrame({"question": ["capital of France?"]})
THINKING = {"type": "thinking", "thinking": "Paris? Yes.", "signature": "x"}


def go(answer: Any, **options: Any) -> pd.Series[Any]:
    out = dfevals.run(FRAME, {"one": lambda row: answer}, progress=False, retries=0, **options)
    assert out["error"].isna().all(), out["error"].item()
    return out.iloc[0]


def anthropic(*blocks: dict[str, Any], stop: str = "end_turn", **usage: int) -> dict[str, Any]:
    used = {"input_tokens": 5, "output_tokens": 7, **usage}
    return {"type": "message", "role": "assistant", "content": list(blocks), "stop_reason": stop, "usage": used}


def gemini(*parts: dict[str, Any], finish: str = "STOP") -> dict[str, Any]:
    counts = {"promptTokenCount": 8, "candidatesTokenCount": 2, "thoughtsTokenCount": 40, "totalTokenCount": 50}
    content = {"role": "model", "parts": list(parts)}
    return {"candidates": [{"content": content, "finishReason": finish, "index": 0}], "usageMetadata": counts}


def bedrock(*content: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    used = {
        "inputTokens": 3,
        "outputTokens": 4,
        "totalTokens": 7,
        "cacheReadInputTokens": 100,
        "cacheWriteInputTokens": 20,
    }
    message = {"role": "assistant", "content": list(content)}
    return {"ResponseMetadata": {}, "output": {"message": message}, "stopReason": stop, "usage": used, "metrics": {}}


def responses(*output: dict[str, Any], status: str = "completed", reason: str | None = None) -> dict[str, Any]:
    return {
        "object": "response", "status": status, "error": None, "output": list(output), "text": {"format": {}},
        "incomplete_details": reason and {"reason": reason}, "usage": {"input_tokens": 4, "output_tokens": 2, "total_tokens": 6},
    }  # fmt: skip


def said(text: str, phase: str | None = None) -> dict[str, Any]:
    return {"type": "message", "phase": phase, "content": [{"type": "output_text", "text": text}]}


def chat(content: Any, finish: str = "stop", **message: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}]}


TEXT = {"type": "text", "text": "Paris"}
PARIS: dict[str, tuple[Any, int | None, str | None]] = {
    "anthropic": (anthropic(TEXT, cache_read_input_tokens=130_000, cache_creation_input_tokens=208), 130_220, "end_turn"),
    "anthropic thinking": (anthropic(THINKING, TEXT), 12, "end_turn"),
    "anthropic redacted": (anthropic({"type": "redacted_thinking", "data": "x"}, TEXT), 12, "end_turn"),
    "gemini": (gemini({"text": "Pa"}, {"text": "ris"}), 50, "STOP"),
    "gemini thoughts": (gemini({"text": "Is it?", "thought": True}, {"text": "Paris"}), 50, "STOP"),
    "gemini content": ({"role": "model", "parts": [{"text": "Paris"}]}, None, None),
    "bedrock": (bedrock({"text": "Paris"}), 127, "end_turn"),
    "bedrock reasoning": (bedrock({"reasoningContent": {"reasoningText": {"text": "?"}}}, {"text": "Paris"}), 127, "end_turn"),
    "phases": (responses(said("I look it up.", "commentary"), said("Paris", "final_answer")), 6, "completed"),
    "no phases": (responses({"type": "reasoning", "summary": []}, said("Par"), said("is")), 6, "completed"),
    "chat": (chat("Paris") | {"usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}, 3, "stop"),
    "chat in blocks": (chat([{"type": "thinking", "thinking": []}, TEXT]), None, "stop"),
    "legacy completion": ({"choices": [{"text": "Paris", "finish_reason": "length"}]}, None, "length"),
    "cohere": ({"message": {"content": [TEXT]}, "finish_reason": "COMPLETE",
                "usage": {"billed_units": {"input_tokens": 1}, "tokens": {"input_tokens": 9, "output_tokens": 1}}}, 10, "COMPLETE"),
    "ollama": ({"message": {"content": "Paris"}, "done_reason": "stop", "prompt_eval_count": 4, "eval_count": 2}, 6, "stop"),
    "langchain": ({"content": "Paris", "type": "ai", "tool_calls": [], "response_metadata": {"stop_reason": "max_tokens"},
                   "usage_metadata": {"input_tokens": 9, "output_tokens": 1, "total_tokens": 10,
                                      "input_token_details": {"cache_read": 8}}}, 10, "max_tokens"),
    "object": (SimpleNamespace(choices=[SimpleNamespace(message=SimpleNamespace(content="Paris"), finish_reason="stop")]),
               None, "stop"),
    "mapping": ({"response": "Paris", "tokens": 3, "finish_reason": "length"}, 3, "length"),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "tokens", "finish"), PARIS.values(), ids=PARIS)
def test_every_provider_says_paris(answer: Any, tokens: int | None, finish: str | None) -> None:
    row = go(answer)
    assert row["response"] == "Paris"
    assert row["tool_calls"] == "[]"
    assert (None if pd.isna(row["tokens"]) else row["tokens"]) == tokens
    assert row.get("finish_reason") == finish
    assert ev.ExactMatch().evaluate(response=row["response"], reference="Paris").passed


CALLS: dict[str, Any] = {
    "gemini": gemini({"text": "I look."}, {"functionCall": {"name": "find", "args": {"city": "Paris"}}}),
    "gemini snake": {"candidates": [{"content": {"parts": [
        {"text": None, "function_call": {"id": None, "name": "find", "args": {"city": "Paris"}}}]}}]},
    "bedrock": bedrock({"text": "I look."}, {"toolUse": {"toolUseId": "t1", "name": "find", "input": {"city": "Paris"}}}),
    "bedrock message": bedrock({"toolUse": {"toolUseId": "t1", "name": "find", "input": {"city": "Paris"}}})["output"]["message"],
    "anthropic": anthropic(THINKING, {"type": "tool_use", "id": "t1", "name": "find", "input": {"city": "Paris"}}, stop="tool_use"),
    "responses": responses(said("I look.", "commentary"), {"type": "function_call", "name": "find", "arguments": '{"city": "Paris"}'}),
    "chat": chat(None, tool_calls=[{"function": {"name": "find", "arguments": '{"city": "Paris"}'}}]),
    "chat, old": chat(None, function_call={"name": "find", "arguments": '{"city": "Paris"}'}),
    "server": anthropic({"type": "server_tool_use", "id": "s1", "name": "find", "input": {"city": "Paris"}}),
}  # fmt: skip


@pytest.mark.parametrize("answer", CALLS.values(), ids=CALLS)
def test_every_provider_calls_the_tool(answer: Any) -> None:
    row = go(answer)
    wanted = [{"name": "find", "arguments": {"city": "Paris"}}]
    found = ev.ToolArgumentAccuracy().evaluate(tool_calls=row["tool_calls"], expected_tool_calls=wanted)
    assert (found.score, found.error) == (1.0, None)


@pytest.mark.parametrize(
    ("answer", "finish"),
    [
        (chat("The capital of", "length"), "length"),
        (anthropic(TEXT, stop="max_tokens"), "max_tokens"),
        (anthropic(TEXT, stop="model_context_window_exceeded"), "model_context_window_exceeded"),
        (gemini({"text": "The capital"}, finish="MAX_TOKENS"), "MAX_TOKENS"),
        (gemini(finish="MAX_TOKENS"), "MAX_TOKENS"),
        (bedrock({"text": "The"}, stop="max_tokens"), "max_tokens"),
        (responses(said("The"), status="incomplete", reason="max_output_tokens"), "max_output_tokens"),
        (responses(said("The"), status="incomplete"), "incomplete"),
    ],
)
def test_answers_that_were_cut_off_leave_a_trace_and_are_counted(answer: Any, finish: str) -> None:
    frame = pd.DataFrame({"n": [0, 1, 2]})
    out = dfevals.run(frame, {"a": lambda n: answer if n else "whole", "b": lambda n: "whole"}, progress=False)
    assert out["finish_reason"].fillna("").tolist() == ["", finish, finish, "", "", ""]
    assert json.loads(out.attrs["dfevals_run"])["cut_off"] == {"a": 2, "b": 0}


def test_blocked_and_filtered_answers_are_empty_and_say_why() -> None:
    assert go({"promptFeedback": {"blockReason": "SAFETY"}})[["response", "finish_reason"]].tolist() == ["", "SAFETY"]
    assert go(gemini(finish="RECITATION"))["finish_reason"] == "RECITATION"
    row = go(chat(None, "content_filter", refusal="I cannot."))
    assert row[["response", "finish_reason"]].tolist() == ["I cannot.", "content_filter"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"choices": []}, "no choices"),
        ({"choices": [{"finish_reason": "stop", "delta": {}}]}, "neither a text nor"),
        (responses(status="failed"), "its status is 'failed'"),
        (responses(status="in_progress"), "its status is 'in_progress'"),
        ({"type": "error", "error": {"message": "overloaded"}}, "overloaded"),
        (iter([{"choices": [{"delta": {"content": "Pa"}}]}]), "a stream of dict"),
        (iter([]), "a stream of nothing"),
    ],
)
def test_what_holds_no_answer_is_a_counted_error(answer: Any, message: str) -> None:
    out = dfevals.run(FRAME, {"one": lambda row: answer}, progress=False, retries=0)
    assert message in out["error"].item()
    assert out["response"].isna().all()


def test_structures_of_ones_own_are_json_and_streams_of_texts_are_joined() -> None:
    def stream() -> Iterator[str]:
        yield from ("Pa", "ris")

    assert go({"a": 1})["response"] == '{"a": 1}'
    assert go({"output": ["a", "b"]})["response"] == '["a", "b"]'
    assert go({"message": {"a": 1}})["response"] == '{"message": {"a": 1}}'
    assert go({"choices": ["a", "b"]})["response"] == '{"choices": ["a", "b"]}'
    assert go(stream())["response"] == "Paris"
    assert read_answer(3) is None
    with pytest.raises(DataError, match="reported an error"):
        read_answer({"error": "no"})


@pytest.mark.parametrize(
    "text",
    ["<think>Lyon? No.</think>\n\nParis", "<thinking>Lyon?\n</thinking>Paris", "Lyon? No.</think>Paris", "[THINK]x[/THINK]Paris", "Paris"],
)  # fmt: skip
def test_thinking_in_tags_is_an_option_and_said(text: str) -> None:
    kept, dropped = go(text), go(text, drop_thinking=True)
    assert kept["response"] == text
    assert dropped["response"] == "Paris"
    for options in ({}, {"drop_thinking": True}):
        out = dfevals.run(FRAME, {"one": lambda row: text}, progress=False, **options)
        assert json.loads(out.attrs["dfevals_run"])["thinking"] == {"one": int(text != "Paris")}


def test_thinking_that_was_not_closed_is_no_answer() -> None:
    assert without_thinking("<think>Lyon? No, it is") == ""
    assert without_thinking("Paris <think>") == "Paris <think>"


def test_the_cache_keeps_thinking(tmp_path: Any) -> None:
    calls: list[int] = []

    def one(question: str) -> str:
        calls.append(1)
        return "<think>?</think>Paris"

    for drop, wanted in ((True, "Paris"), (False, "<think>?</think>Paris")):
        out = dfevals.run(FRAME, {"one": one}, progress=False, cache=tmp_path / "c", drop_thinking=drop)
        assert out["response"].item() == wanted
    assert len(calls) == 1


VERDICT = '{"score": 0.8, "reason": "fine"}'


@pytest.mark.parametrize(
    "answer",
    [
        anthropic(THINKING, {"type": "text", "text": VERDICT}),
        gemini({"text": "hm", "thought": True}, {"text": VERDICT}),
        bedrock({"reasoningContent": {}}, {"text": VERDICT}),
        responses({"type": "reasoning", "summary": []}, said("I judge.", "commentary"), said(VERDICT, "final_answer")),
        chat(f"<think>{{draft}}</think>\n{VERDICT}"),
        chat([THINKING, {"type": "text", "text": VERDICT}]),
    ],
    ids=["anthropic", "gemini", "bedrock", "responses", "tags", "chat"],
)
def test_judges_that_think_are_heard(answer: Any) -> None:
    found = ev.Judge("Is it good?", lambda prompt: answer, retries=0).evaluate(response="x")
    assert (found.score, found.error) == (0.8, None)


def test_a_verdict_that_was_cut_off_says_so() -> None:
    cut = chat('{"score": 0.', "length")
    found = ev.Judge("Is it good?", lambda prompt: cut, retries=0).evaluate(response="x")
    assert "the answer was cut off (length)" in str(found.error)


def test_tokens_of_a_prompt_template_with_tools() -> None:
    def client(messages: list[dict[str, str]], **options: Any) -> dict[str, Any]:
        return CALLS["anthropic"]

    out = dfevals.run(FRAME, {"one": ev.PromptTemplate("{question}", client)}, progress=False)
    assert out[["response", "tokens", "finish_reason"]].iloc[0].tolist() == ["", 12, "tool_use"]
    assert json.loads(out["tool_calls"].item())[0]["name"] == "find"


LONE = "half \ud83d of a smile"


def test_lone_surrogates_keep_their_rows_also_from_a_cache(tmp_path: Any) -> None:
    frame = pd.DataFrame({"n": range(3)})

    def one(n: int) -> Any:
        if n == 2:
            raise ValueError(LONE)
        call = {"name": "f", "arguments": {"a": LONE}}
        return {"response": LONE, "tool_calls": [call], "finish_reason": LONE} if n else "smile \ud83d\ude00"

    for _ in range(2):
        out = dfevals.run(frame, {LONE: one}, progress=False, retries=0, cache=tmp_path / "c")
        assert out["response"].iloc[:2].tolist() == ["smile 😀", "half \ufffd of a smile"]
        assert out["error"].iloc[2] == "ValueError: half \ufffd of a smile"
        assert "half \ufffd" in out["tool_calls"].iloc[1]
        out.to_csv(tmp_path / "out.csv")


def test_lone_surrogates_in_reasons_and_errors_of_evaluators(tmp_path: Any) -> None:
    frame = pd.DataFrame({"response": pd.Series(["a", LONE], dtype=object)})

    def good(response: str) -> tuple[float, str]:
        return 1.0, LONE

    def bad(response: str) -> float:
        raise ValueError(LONE)

    judge = ev.Judge("Is it good?", lambda messages: json.dumps({"score": 1, "reason": LONE}))
    for _ in range(2):
        done = ev.annotate(frame, [good, bad, judge], progress=False, cache=tmp_path / "c").frame
        assert done["good_reason"].tolist() == done["judge_reason"].tolist() == ["half \ufffd of a smile"] * 2
        assert done["bad_error"].str.endswith("half \ufffd of a smile").all()


def test_lone_surrogates_are_sent_to_no_server() -> None:
    seen: list[str] = []

    def client(messages: list[dict[str, str]]) -> str:
        seen.extend(message["content"] for message in messages)
        return '{"score": 1, "winner": "tie", "reason": "x"}'

    ev.Judge("Is it good?", client).evaluate(response=LONE, prompt=LONE)
    ev.PairwisePreference(client).evaluate(response=LONE, other=LONE, context=[LONE])
    ev.PromptTemplate("Say {a}", client)({"a": LONE})
    assert len(seen) == 7
    assert all("half \ufffd of a smile" in text for text in seen if "half" in text)
    assert "\ud83d" not in "".join(seen)
    echo = ev.Judge(
        "Is it good?", lambda prompt: f'{{"score": 1, "reason": "{LONE}"}}'.replace("\ud83d", "\ufffd"), retries=0
    )
    assert echo.evaluate(response=f'{{"score": 1, "reason": "{LONE}"}}').error is not None
