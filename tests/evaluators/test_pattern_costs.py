"""The bound on the time of users' patterns and schemas: held against a matcher that counts its steps."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import dfevals.evaluators as ev
from dfevals.evaluators.pattern_costs import CHEAP, SchemaCost, regex_cost


class Backtracker:
    """Finds every way in which a parsed pattern matches, one after the other, and counts the characters it looks at."""

    def __init__(self, text: str) -> None:
        self.text, self.steps = text, 0

    def ends(self, parts: list[Any], at: int) -> Iterator[int]:
        if not parts:
            yield at
            return
        for end in self.part(str(parts[0][0]), parts[0][1], at):
            yield from self.ends(parts[1:], end)

    def part(self, kind: str, detail: Any, at: int) -> Iterator[int]:
        if kind == "MAX_REPEAT":
            yield from self.repeat(int(detail[0]), int(detail[1]), list(detail[2]), at)
        elif kind == "SUBPATTERN":
            yield from self.ends(list(detail[-1]), at)
        elif kind == "BRANCH":
            for part in detail[1]:
                yield from self.ends(list(part), at)
        else:
            self.steps += 1
            wanted = [detail] if kind == "LITERAL" else [code for _, code in detail]
            if at < len(self.text) and ord(self.text[at]) in wanted:
                yield at + 1

    def repeat(self, least: int, most: int, body: list[Any], at: int) -> Iterator[int]:
        for end in self.ends(body, at) if most else ():
            if end > at:
                yield from self.repeat(max(least - 1, 0), most - 1, body, end)
        if least <= 0:
            yield at


def random_pattern(rng: np.random.Generator, depth: int) -> str:
    kind = int(rng.integers(0, 4)) if depth else 0
    if kind == 0:
        return str(rng.choice(["a", "b", "ab", "[ab]"]))
    parts = [random_pattern(rng, depth - 1) for _ in range(rng.integers(1, 4))]
    repeats = ["?", "*", "+", "{0,2}", "{1,3}", "{2}"]
    ends = {1: "", 2: "", 3: str(rng.choice(repeats))}
    return f"(?:{('|' if kind == 2 else '').join(parts)}){ends[kind]}"


def test_no_search_takes_more_steps_than_the_bound() -> None:
    rng = np.random.default_rng(5)
    tight = 0
    for _ in range(300):
        pattern = random_pattern(rng, 3)
        text = "".join(rng.choice(["a", "a", "b"], rng.integers(0, 9)))
        walk = Backtracker(text)
        parsed = list(re._parser.parse(pattern + "!"))  # type: ignore[attr-defined]
        for start in range(len(text) + 1):  # every start and every way fails at last, which is the worst
            assert not list(walk.ends(parsed, start))
        bound = regex_cost(pattern + "!", len(text))
        assert walk.steps <= bound, (pattern, text)
        tight += walk.steps * 20 > bound
    assert tight > 100  # a bound that is far too high would send everything apart


@pytest.mark.parametrize(
    "pattern",
    [
        "a?" * 28 + "a" * 28,
        "(?:a|a)" * 26 + "b",
        "a{0,9}" * 9 + "b",
        "(?:a?){28}" + "a" * 28,
        "(?:ab?|a)" * 25 + "!",
        "(?:(?:a?){5}){6}" + "a" * 30,
        "[ab]{1,16}" * 8 + "!",
        "(?=(?:a?" + "a?" * 27 + "a{28}))b",
    ],
)
def test_widths_multiply_over_a_sequence_so_that_the_time_out_applies(pattern: str) -> None:
    assert regex_cost(pattern, 40) > CHEAP
    start = time.monotonic()
    found = ev.RegexMatch(pattern, timeout=0.2).evaluate(response="a" * 27 + "b" * 3)
    assert found.error is None or "not decided" in found.error
    schema = {"type": "string", "pattern": pattern}
    checked = ev.SchemaCompliance(schema=schema, timeout=0.2).evaluate(response=json.dumps("a" * 27))
    assert checked.error is None or "not decided" in checked.error
    assert time.monotonic() - start < 30  # without the time-out some of these take years


@pytest.mark.parametrize(
    "pattern", [r"^\d{3}-\d{4}$", r"order #[0-9]{1,8}", "^(?:yes|no)$", r"\b(?:mon|tue|wed)\b", "(?i)paris", "a++b"]
)
def test_usual_patterns_stay_cheap(pattern: str) -> None:
    assert regex_cost(pattern, 1000) < CHEAP


def test_back_references_cost_their_length_and_what_is_no_pattern_is_not_known() -> None:
    assert 1000 < regex_cost(r"(a)\1", 1000) < 1e7
    assert regex_cost(r"(?P<x>a)?(?(x)b|c)", 100) < 1e5
    assert regex_cost("(", 10) == float("inf")
    assert regex_cost("a+", 100, mode="match") < regex_cost("a+", 100)
    assert regex_cost("^a+", 100) < regex_cost("^a+", 100, int(re.MULTILINE))


def test_schemas_without_patterns_are_bounded_too() -> None:
    assert SchemaCost.of({"type": "object", "properties": {"a": {"type": "string"}}}).steps(10**7) == 0
    assert SchemaCost.of({"type": "array", "uniqueItems": True}).steps(10_000) > CHEAP
    tree = {"properties": {"child": {"$ref": "#"}, "name": {"type": "string"}}}
    assert SchemaCost.of(tree).steps(10**6) == 0  # every value is read once
    either = {"anyOf": [{"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"$ref": "#"}}}]}
    assert SchemaCost.of(either).steps(100) == float("inf")
    doubling = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(24)}
    assert SchemaCost.of({"$ref": "#/$defs/d0", "$defs": {**doubling, "d24": {}}}).steps(10) > CHEAP
    assert SchemaCost.of({"patternProperties": {"(a+)+$": {}}}).steps(30) == float("inf")


def test_a_schema_that_looks_again_at_every_depth_takes_bounded_time() -> None:
    part = {"properties": {"a": {"$ref": "#"}}, "required": ["b"]}
    deep: Any = 1
    for _ in range(40):
        deep = {"a": deep}
    start = time.monotonic()
    found = ev.SchemaCompliance(schema={"anyOf": [part, part]}, timeout=0.3).evaluate(response=json.dumps(deep))
    assert "not decided" in str(found.error) or found.passed is False
    assert ev.SchemaCompliance(schema={"uniqueItems": True}).evaluate(response=[{"a": i} for i in range(50)]).passed
    assert time.monotonic() - start < 20
