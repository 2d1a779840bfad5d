"""A prompt template as a system: filled by column names alone, sent through any client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import dfevals
from dfevals.evaluators import PromptTemplate
from dfevals.exceptions import DataError, RoleError

FRAME = pd.DataFrame({"text": ["chat {other}", "chien", None], "other": ["x", "y", "z"], "n": [1, 2, 3]})


def echo(prompt: str) -> str:
    return prompt


def test_templates_are_systems_and_cells_are_put_in_once() -> None:
    systems = {"a": PromptTemplate("{n}. Translate {{now}}: {text}", echo), "b": PromptTemplate("{other}", echo)}
    done = dfevals.run(FRAME, systems, progress=False, retries=0).set_index(["model", "id"])
    assert done.loc[("a", 0), "response"] == "1. Translate {now}: chat {other}"
    assert done.loc[("a", 1), "response"] == "2. Translate {now}: chien"
    assert "text is missing" in done.loc[("a", 2), "error"]
    assert done.loc["b", "response"].tolist() == ["x", "y", "z"]


def test_the_client_gets_messages_model_options_and_the_seed_of_the_row() -> None:
    seen: list[dict[str, Any]] = []

    def client(messages: list[dict[str, str]], model: str, **options: Any) -> dict[str, Any]:
        seen.append({"messages": messages, "model": model, **options})
        return {"choices": [{"message": {"content": "Katze"}}], "usage": {"total_tokens": 7}}

    system = PromptTemplate("Translate {text}", client, "small", system="Be {brief}.", temperature=0)
    done = dfevals.run(FRAME.iloc[:1], {"a": system}, progress=False, random_state=3)
    assert done[["response", "tokens"]].values.tolist() == [["Katze", 7]]
    assert [message["content"] for message in seen[0]["messages"]] == ["Be {brief}.", "Translate chat {other}"]
    assert (seen[0]["model"], seen[0]["temperature"]) == ("small", 0)
    assert isinstance(seen[0]["seed"], int)


@pytest.mark.parametrize(
    "place",
    ["{text.__class__}", "{text[0]}", "{text!r}", "{text:>9}", "{text:{n}}", "{}", "{ }", "{0.real}", "{text", "}"],
)
def test_a_place_is_a_name_and_nothing_else(place: str) -> None:
    with pytest.raises(DataError, match="template"):
        PromptTemplate(f"Translate {place}", echo)


def test_what_is_wrong_is_said_before_any_call() -> None:
    with pytest.raises(RoleError, match=r"\{txt\} of its prompt names no column. Did you mean 'text'"):
        dfevals.run(FRAME, {"a": PromptTemplate("Translate {txt}", echo)}, progress=False)
    with pytest.raises(DataError, match="PromptTemplate"):
        dfevals.run(FRAME, {"a": "Translate {text}"}, progress=False)  # type: ignore[dict-item]
    with pytest.raises(DataError, match="must be a text"):
        PromptTemplate(3, echo)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="rename the column 'row'"):
        PromptTemplate("a", echo)("cell")  # type: ignore[arg-type]


def test_the_cache_knows_the_prompt_the_model_and_the_options(tmp_path: Path) -> None:
    calls: list[str] = []

    def client(messages: list[dict[str, str]], model: str, **options: Any) -> str:
        calls.append(model)
        return "answer"

    def ask(template: str = "A {text}", model: str = "small", **options: Any) -> int:
        before = len(calls)
        system = PromptTemplate(template, client, model, **options)
        dfevals.run(FRAME.iloc[:2], {"a": system}, progress=False, cache=tmp_path / "run.sqlite")
        return len(calls) - before

    assert [ask(), ask(), ask("B {text}"), ask(model="large"), ask(temperature=1), ask(system="Be brief.")] == [
        2, 0, 2, 2, 2, 2,
    ]  # fmt: skip
