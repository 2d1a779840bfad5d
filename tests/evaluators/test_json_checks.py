"""JSON and schema checks against the json and jsonschema libraries, and on hostile input."""

from __future__ import annotations

import json
import time

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfevals.evaluators import JSONValidation, SchemaCompliance
from dfevals.exceptions import DataError

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON_VALUES)
@settings(max_examples=50, deadline=None)
def test_every_json_value_is_valid_and_a_cut_container_is_not(value: object) -> None:
    written = json.dumps(value)
    assert JSONValidation().evaluate(response=written).passed
    if isinstance(value, dict | list):
        assert JSONValidation().evaluate(response=written[:-1]).passed is False


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("{'a': 1}", "line 1 column 2"),
        ("[1, 2,]", "not JSON"),
        ("NaN", "NaN is not a JSON value"),
        ("[1e5, -Infinity]", "-Infinity"),
        ("[01]", "not JSON"),
        ("{} {}", "Extra data"),
        ("Sure! {}", "not JSON"),
    ],
)
def test_what_is_not_json_says_where(text: str, reason: str) -> None:
    found = JSONValidation().evaluate(response=text)
    assert found.passed is False
    assert reason in found.reason


def test_options_of_json_validation() -> None:
    fenced = '```json\n{"a": 1}\n```'
    assert JSONValidation().evaluate(response=fenced).passed is False
    assert JSONValidation(fenced=True).evaluate(response=fenced).passed
    assert JSONValidation().evaluate(response='{"a": 1, "a": 2}').passed
    assert "twice" in JSONValidation(unique_keys=True).evaluate(response='{"a": 1, "a": 2}').reason
    assert JSONValidation(require="object").evaluate(response="[]").passed is False
    assert JSONValidation().evaluate(response="1" * 6000).passed


def test_deep_and_large_json() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert "nested too deeply" in str(JSONValidation().evaluate(response=deep).error)
    assert "nested too deeply" in str(SchemaCompliance(schema={}).evaluate(response=deep).error)
    large = json.dumps(["x" * 1000] * 10_000)
    assert len(large) > 10_000_000
    assert JSONValidation().evaluate(response=large).passed
    assert SchemaCompliance(schema={"items": {"maxLength": 1000}}).evaluate(response=large).passed


SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": 0},
        "when": {"type": "string", "format": "date-time"},
        "mail": {"type": "string", "format": "email"},
        "items": {"type": "array", "items": {"type": "object", "required": ["price"]}, "minItems": 1},
    },
    "required": ["id"],
    "additionalProperties": False,
}
CASES = [
    {"id": 1},
    {"id": -1},
    {"id": 1.0},
    {"id": True},
    {"id": 1, "x": 2},
    {"id": 1, "items": []},
    {"id": 1, "items": [{"price": 1}, {}]},
    {"id": 1, "mail": "nobody"},
    {"id": 1, "when": "2024-02-30T10:00:00Z"},
    {"id": 1, "when": "2024-02-28T10:00:00Z"},
    [],
    None,
    3,
]


@pytest.mark.parametrize(
    "draft",
    [
        "Draft3Validator",
        "Draft4Validator",
        "Draft6Validator",
        "Draft7Validator",
        "Draft201909Validator",
        "Draft202012Validator",
    ],
)
@pytest.mark.parametrize("instance", CASES, ids=json.dumps)
def test_verdict_is_that_of_jsonschema(draft: str, instance: object) -> None:
    kind = getattr(jsonschema, draft)
    schema = {**SCHEMA, "$schema": kind.META_SCHEMA.get("$id", kind.META_SCHEMA.get("id"))}
    if draft == "Draft3Validator":
        schema = {k: v for k, v in schema.items() if k != "required"}
        schema["properties"] = {k: v for k, v in SCHEMA["properties"].items() if k != "items"}  # type: ignore[attr-defined]
    right = kind(schema, format_checker=kind.FORMAT_CHECKER).is_valid(instance)
    found = SchemaCompliance(schema=schema).evaluate(response=json.dumps(instance))
    assert found.error is None
    assert found.passed == right


def test_path_of_the_first_violation() -> None:
    found = SchemaCompliance(schema=SCHEMA).evaluate(response='{"id": 1, "items": [{"price": 1}, {}]}')
    assert found.reason.startswith("$.items[1]")
    assert found.details["path"] == "$.items[1]"


def test_formats_can_be_turned_off_and_drafts_forced() -> None:
    response = '{"id": 1, "mail": "nobody"}'
    assert SchemaCompliance(schema=SCHEMA).evaluate(response=response).passed is False
    assert SchemaCompliance(schema=SCHEMA, formats=False).evaluate(response=response).passed
    dependent = {"dependentRequired": {"a": ["b"]}}
    assert SchemaCompliance(schema=dependent).evaluate(response='{"a": 1}').passed is False
    assert SchemaCompliance(schema=dependent, draft="draft7").evaluate(response='{"a": 1}').passed
    with pytest.raises(DataError, match="Did you mean 'draft7'"):
        SchemaCompliance(draft="draft8")


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "objct"}, "schema is not valid at $.type"),
        ({"$ref": "https://example.com/schema.json"}, "nothing is fetched"),
        ({"$ref": "#/$defs/none"}, "cannot be resolved"),
        ("{not json", "not valid JSON"),
        (None, "schema is missing"),
        (3, "must be a dict"),
        ([1], "must be a dict"),
        ({"$ref": "#"}, "nested too deeply"),
        ({"pattern": "("}, "schema is not valid"),
    ],
)
def test_a_bad_schema_is_an_error_and_not_a_fail(schema: object, message: str) -> None:
    found = SchemaCompliance().evaluate(response="{}" if "pattern" not in str(schema) else '"x"', schema=schema)
    assert found.passed is None
    assert message in str(found.error)


def test_local_references_and_known_metaschemas_resolve() -> None:
    schema = {"$defs": {"n": {"type": "integer"}}, "items": {"$ref": "#/$defs/n"}}
    assert SchemaCompliance(schema=schema).evaluate(response="[1, 2]").passed
    assert SchemaCompliance(schema=schema).evaluate(response='[1, "2"]').passed is False
    meta = {"$ref": "https://json-schema.org/draft/2020-12/schema"}
    assert SchemaCompliance(schema=meta).evaluate(response='{"type": "string"}').passed


def test_a_catastrophic_pattern_takes_bounded_time_and_the_next_row_lives() -> None:
    check = SchemaCompliance(schema={"type": "string", "pattern": "^(a+)+$"}, timeout=0.3)
    assert check.evaluate(response=json.dumps("a" * 40)).passed  # starting the other process is not what is timed
    start = time.monotonic()
    found = check.evaluate(response=json.dumps("a" * 40 + "!"))
    assert time.monotonic() - start < 5
    assert "not decided within 0.3 s" in str(found.error)
    assert check.evaluate(response='"aaa"').passed
    assert check.evaluate(response='"aab"').passed is False


def test_a_catastrophic_pattern_with_an_escaped_keyword_takes_bounded_time() -> None:
    schema = r'{"\u0070attern": "^(a+)+$"}'
    check = SchemaCompliance(timeout=0.3)
    assert check.evaluate(
        response=json.dumps("a" * 40), schema=schema
    ).passed  # starting the other process is not what is timed
    start = time.monotonic()
    found = check.evaluate(response=json.dumps("a" * 40 + "!"), schema=schema)
    assert time.monotonic() - start < 5
    assert "not decided within 0.3 s" in str(found.error)


def test_a_response_that_is_already_parsed() -> None:
    assert SchemaCompliance(schema=SCHEMA).evaluate(response={"id": 1}).passed
