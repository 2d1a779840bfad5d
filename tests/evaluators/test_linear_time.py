"""Evaluators read what models wrote: whatever its shape, twice the length may take twice the time, not four times."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

import dfevals.evaluators as ev
from dfevals.evaluators.exact import squad_text
from dfevals.evaluators.secret_formats import redacted
from dfevals.explorers.reading.marks import Mark, pieces, sentence_support
from dfevals.explorers.reading.steps import steps_of

CONTEXT = "Acme was founded in 1880 in Paris by Ann Roe. It makes anvils."
UNITS = {
    "blanks": [" ", "\t", "\n", "\r\n", "\n \n", "\u00a0", "\u3000"],
    "marks": [*".!?,;:'\"`#*_-–=+|/\\<>()[]{}@$%^&~", "。", "…", "।", "«", "’"],
    "marks and blanks": [". ", ".\n", "! ", "...\n", ".) ", '." ', "- ", "' ", "`\n", "# ", "##\n", "\n## ", "1. "],
    "letters": ["a", "A", "a ", "A ", "a.", "A. ", "a'", "a-", "a_", "a-a_", "ab, ", "The cat sat. ", "Mr. ", "U.S. "],
    "digits": ["0", "1 ", "1,", ",111", ",11", "1.", "1/", "1 / ", "1-", "1 2/", "10^", "1e", "1%", "-1", "$1", "1\u00a0"],
    "numbers": ["10⁻", "½", "3/4 ", "\\frac{", "\\frac{1} ", "\\frac{1}{2}", "{,}", "9\\,", "USD", "12/25/2020 "],
    "tags": ["<tool_call>", "<tool_call> ", "</tool_call>", "<tool_call>[]</tool_call>", "<|im_", "<b>", "[INST", "<<SYS"],
    "fences": ["```", "```\n", "``` ", "```json\n", "\n```", "~~~\n"],
    "structures": ["[", "[]", "{", "{}", '{"a":', '{"a": 1} ', '["a", ', '"a", ', '\\"', "f(", "f(a=1), ", "[f(", "-(", "not "],
    "orders": ["ignore all ", "all previous ", "send to ", "print your ", "give a ", "new task ", "system ", "\nsystem ", "score of 1"],
    "data": ["a@", "a@b.", "a.b@c", "1 1", "1-1", "+1 ", "(1) ", "DE00 ", "1.1.", "passport ", "passport:", "born on ", "1 Aa ", "Aa "],
    "findings": ["1.2.3.4 ", "ann@mail.org ", "123-45-6789, ", "AKIAIOSFODNN7EXAMPLE ", "password=Zx93jKq8 ", "bearer abcdefgh1 "],
    "secrets": ["eyJ", "-eyJa", "eyJaaaaaaaaaaa.", "sk-", "sk-a", "a://", "a://b:", "a://b:ccc@", "key=", "api_key: ", "a-a-", "Bearer "],
    "refusals": ["I can't ", "as an AI ", "I'm sorry ", "no "],
    "names": ["Zed Paris ", "Paris Zed ", "Ann Zed, ", "Acme was founded in 1990. ", "Pigs fly. ", "It makes anvils. "],
    "scripts": ["é", "e\u0301", "\u0301\u0323", "\uff9e\u0301", "ก", "ที่", "北", "北京。", "の", "हि", "가", "ש", "م ", "🙂", "👨\u200d", "\u200b", "\u202e", "\ufeff"],
}  # fmt: skip
SHAPES: dict[str, Callable[[int], str]] = {
    **{repr(unit): lambda n, unit=unit: unit * (n // len(unit)) for units in UNITS.values() for unit in units},
    "blanks between words": lambda n: "a" + " " * n + "b",
    "lines between words": lambda n: "a." + "\n" * n + "B",
    "an open tag and blanks": lambda n: "<tool_call>" + " " * n,
    "an open fence and blanks": lambda n: "```json\n" + " " * n + "x",
    "an open text": lambda n: '{"a": "' + "x" * n,
    "new words": lambda n: " ".join(f"word{i}" for i in range(n // 9)),
    "new names": lambda n: " ".join(f"Name{i}" for i in range(n // 9)),
    "new numbers": lambda n: " ".join(str(i) for i in range(n // 6)),
    "new sentences": lambda n: " ".join(f"Name{i} was founded in {i}." for i in range(n // 27)),
    "one beginning": lambda n: " ".join(f"foundedby{i}" for i in range(n // 13)),
    "a list of calls": lambda n: (
        "[" + ", ".join(f'{{"name": "f{i}", "arguments": {{}}}}' for i in range(n // 32)) + "]"
    ),
    "calls of one name": lambda n: "[" + ", ".join(['{"name": "look"}'] * (n // 18)) + "]",
    "messages": lambda n: "[" + ", ".join(['{"role": "tool", "content": "x"}'] * (n // 34)) + "]",
    "calls and results": lambda n: (
        "["
        + ", ".join(
            [f'{{"role": "assistant", "tool_calls": [{{"name": "f{i}"}}]}}' for i in range(n // 80)]
            + ['{"role": "tool", "content": "x"}'] * (n // 80)
        )
        + "]"
    ),
}
FORMATS = [
    ev.SchemaCompliance(schema={"format": name})
    for name in (
        *("date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6"),
        *("uri", "uri-reference", "iri", "iri-reference", "uri-template", "uuid", "json-pointer", "regex"),
        "relative-json-pointer",
    )
]
CALLS = [{"name": "look", "arguments": {}}, {"name": "book", "arguments": {"nights": 2}}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "string", "format": "date-time"}}, "required": ["a"]}


def reading(check: ev.Evaluator, role: str, **fixed: Any) -> Callable[[str], object]:
    """An evaluator as a function of the text in one role."""
    return lambda text: check.evaluate(**{role: text}, **fixed)


READERS: dict[str, Callable[[str], object]] = {
    "ExactMatch": reading(ev.ExactMatch(), "response", reference="the answer"),
    "TokenF1": reading(ev.TokenF1(), "response", reference="the answer"),
    "NumericMatch": reading(ev.NumericMatch(which="any"), "response", reference=5),
    "NumericMatch, decimal comma": reading(ev.NumericMatch(decimal=","), "response", reference=5),
    "RegexMatch": reading(ev.RegexMatch("order [0-9]"), "response"),
    "Refusal": reading(ev.Refusal(), "response"),
    "PromptInjection": reading(ev.PromptInjection(), "prompt"),
    "PII": reading(ev.PII(), "response"),
    "SecretLeak": reading(ev.SecretLeak(), "response"),
    "Repetition": reading(ev.Repetition(), "response"),
    "Length": reading(ev.Length(unit="sentences"), "response"),
    "Readability": reading(ev.Readability(), "response"),
    "JSONValidation": reading(ev.JSONValidation(fenced=True), "response"),
    "SchemaCompliance": reading(ev.SchemaCompliance(schema=SCHEMA, fenced=True), "response"),
    "SchemaCompliance, formats": lambda text: [check.evaluate(response=json.dumps(text)) for check in FORMATS],
    "ToolSelectionAccuracy": reading(ev.ToolSelectionAccuracy(), "tool_calls", expected_tool_calls=CALLS),
    "ToolArgumentAccuracy": reading(ev.ToolArgumentAccuracy(), "tool_calls", expected_tool_calls=CALLS),
    "TrajectoryMatch": reading(ev.TrajectoryMatch(mode="f1"), "trajectory", expected_tool_calls=CALLS),
    "TaskCompletion": reading(ev.TaskCompletion(harmless=["*l*k*"]), "tool_calls", expected_tool_calls=CALLS),
    "Groundedness, response": reading(ev.Groundedness(), "response", context=CONTEXT),
    "Groundedness, context": reading(ev.Groundedness(), "context", response="Acme was founded in 1890 by Ann Roe."),
    "HallucinationScore": reading(ev.HallucinationScore(), "response", context=CONTEXT),
    "ContextRecall": reading(ev.ContextRecall(), "context", reference="Acme was founded by Ann."),
    "ContextRelevance": reading(ev.ContextRelevance(), "context", prompt="When was Acme founded?"),
    "AnswerRelevancy, response": reading(ev.AnswerRelevancy(), "response", prompt="When was Acme founded?"),
    "AnswerRelevancy, prompt": reading(ev.AnswerRelevancy(), "prompt", response="In 1880."),
    "UnitTests": reading(ev.UnitTests(lambda response, tests: True), "response"),
    "an argument": lambda text: ev.ToolArgumentAccuracy().evaluate(
        tool_calls=[{"name": "f", "arguments": {"a": text}}],
        expected_tool_calls=[{"name": "f", "arguments": {"a": "b"}}],
    ),
    "Judge, reply": lambda text: ev.Judge("Is it good?", lambda prompt: text, retries=0).evaluate(response="x"),
    "Judge, response": lambda text: ev.Judge("Is it good?", lambda prompt: "no verdict", retries=0).evaluate(
        response=text
    ),
    "normal text": squad_text,
    "an error": redacted,
    "the explorer's sentences": lambda text: sentence_support(text, [CONTEXT], 0.5, name="groundedness"),
    "the explorer's pieces": lambda text: pieces(
        text, 0, len(text), [Mark(at, at + 5, "1", "found", "") for at in range(0, len(text), 10)]
    ),
    "the explorer's steps": lambda text: attempt(steps_of, text),
}
# Slow readers that read as others do take a part of the shapes each: (first, every).
PARTS = {
    "Groundedness, response": (0, 2),
    "Groundedness, context": (1, 2),
    "ContextRelevance": (0, 4),
    "AnswerRelevancy, response": (1, 4),
    "AnswerRelevancy, prompt": (3, 6),
    "HallucinationScore": (2, 6),
    "ContextRecall": (1, 6),
    "the explorer's sentences": (0, 6),
    "SchemaCompliance, formats": (0, 6),
}
LONGEST = 16_000  # characters; more takes longer to try than it tells
MEASURABLE = 0.01  # seconds


def attempt(read: Callable[[str], object], text: str) -> object:
    """What reads, or the error that says why not."""
    try:
        return read(text)
    except Exception as error:
        return error


def seconds(read: Callable[[str], object], text: str, times: int = 1) -> float:
    """Best of several CPU times; nothing remembered by length is asked twice."""
    best = float("inf")
    for number in range(times):
        fresh = f"{text}{number}"
        start = time.process_time()
        read(fresh)
        best = min(best, time.process_time() - start)
    return best


def growth(read: Callable[[str], object], shape: Callable[[int], str]) -> tuple[float, int]:
    """Time of twice the length over the time of the length, from where it can be measured; 2 where it never can be."""
    n = 1000
    while seconds(read, shape(n)) < MEASURABLE:
        n *= 2
        if n > LONGEST:
            return 2.0, n
    ratio = float("inf")
    for times in (1, 3, 6):  # other work on the machine may double one time, not the best of several
        ratio = min(ratio, seconds(read, shape(2 * n), times) / seconds(read, shape(n), times))
        if ratio < 3:
            break
    return ratio, n


@pytest.mark.parametrize("name", READERS)
def test_twice_the_text_takes_twice_the_time(name: str) -> None:
    slow = {}
    first, every = PARTS.get(name, (0, 1))
    for shape, make in list(SHAPES.items())[first::every]:
        ratio, n = growth(READERS[name], make)
        if ratio >= 3:
            slow[shape] = (round(ratio, 1), n)
    assert not slow


def test_every_evaluator_is_tried() -> None:
    tried = {name.split(",")[0] for name in READERS}
    table = ev.table()
    judges = set(table["evaluator"][table["family"] == "judge"])  # all of them read as `Judge` does
    assert not set(table["evaluator"]) - tried - judges


def test_the_measure_finds_what_is_worse() -> None:
    def squares(text: str) -> int:
        return sum(text.count(text[i]) for i in range(0, len(text), 4))

    ratio, _ = growth(squares, lambda n: "ab" * (n // 2))
    assert ratio > 3
    assert list(itertools.islice(SHAPES, 2)) == ["' '", "'\\t'"]
