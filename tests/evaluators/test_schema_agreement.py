"""SchemaCompliance gives the verdict and the first violation of jsonschema itself, over random schemas and values."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from referencing.jsonschema import EMPTY_REGISTRY

from dfevals.evaluators import SchemaCompliance, plain_schemas
from dfevals.evaluators.checking import DRAFTS

KEYS = st.sampled_from(["a", "b", "c"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([1.0, 0.5, -2.5, 1e308])
    | st.sampled_from(["", "a", "aa", "b7", "x@y.org", "2024-02-28", "2024-02-30", "127.0.0.1"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "null", "array", "object"])
NAME = "definitions"  # every draft resolves a pointer, whatever the keyword


def leaves(draft: str) -> st.SearchStrategy[dict[str, Any]]:
    """Schemas of one keyword."""
    common = [
        TYPES.map(lambda name: {"type": name}),
        st.lists(TYPES, min_size=1, max_size=2, unique=True).map(lambda names: {"type": names}),
        st.lists(SCALARS, min_size=1, max_size=3, unique_by=json.dumps).map(lambda values: {"enum": values}),
        st.tuples(st.sampled_from(["minimum", "maximum"]), st.integers(-2, 2)).map(lambda pair: dict([pair])),
        st.sampled_from(["^a+$", "[0-9]", "b"]).map(lambda pattern: {"pattern": pattern}),
        st.sampled_from(["email", "date", "ipv4"]).map(lambda name: {"format": name}),
        st.sampled_from([f"#/{NAME}/one", f"#/{NAME}/two"]).map(lambda target: {"$ref": target}),
    ]
    if draft != "draft3":
        common.append(st.lists(KEYS, min_size=1, max_size=2, unique=True).map(lambda keys: {"required": keys}))
    if draft not in ("draft3", "draft4"):
        common.append(VALUES.map(lambda value: {"const": value}))
    return st.one_of(common)


def schemas(draft: str, inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Schemas that hold schemas."""
    some = st.lists(inner, min_size=1, max_size=2)
    nested = [
        st.dictionaries(KEYS, inner, min_size=1, max_size=2).map(lambda parts: {"properties": parts}),
        (inner | st.booleans()).map(lambda part: {"additionalProperties": part}),
        inner.map(lambda part: {"items": part}),
        some.map(lambda parts: {"prefixItems" if draft == "2020-12" else "items": parts}),
        st.tuples(inner, inner).map(lambda pair: {**pair[0], **pair[1]}),
    ]
    if draft == "draft3":
        nested += [some.map(lambda parts: {"extends": parts}), some.map(lambda parts: {"disallow": parts})]
        nested.append(st.tuples(KEYS, inner).map(lambda pair: {"properties": {pair[0]: {**pair[1], "required": True}}}))
    else:
        nested += [some.map(lambda parts, word=word: {word: parts}) for word in ("anyOf", "allOf", "oneOf")]
        nested.append(inner.map(lambda part: {"not": part}))
    return st.one_of(nested)


def documents(draft: str) -> st.SearchStrategy[dict[str, Any]]:
    """Whole schemas, with two definitions that do not refer to each other."""
    plain = leaves(draft).filter(lambda part: "$ref" not in part)
    body = st.recursive(leaves(draft), lambda inner: schemas(draft, inner), max_leaves=5)
    return st.tuples(body, plain, plain).map(lambda parts: {**parts[0], NAME: {"one": parts[1], "two": parts[2]}})


@pytest.mark.parametrize("draft", DRAFTS)
@given(st.data())
@settings(max_examples=40, deadline=None)
def test_verdict_and_first_violation_are_those_of_jsonschema(draft: str, data: st.DataObject) -> None:
    kind = getattr(jsonschema, DRAFTS[draft])
    schema = data.draw(documents(draft).filter(kind(kind.META_SCHEMA).is_valid))  # such as equal parts of "disallow"
    value = data.draw(VALUES)
    checker = kind(schema, format_checker=kind.FORMAT_CHECKER, registry=EMPTY_REGISTRY)
    first = next(checker.iter_errors(value), None)
    by_argument = SchemaCompliance(schema=schema, draft=draft).evaluate(response=json.dumps(value))
    declared = {"$schema": kind.META_SCHEMA.get("$id", kind.META_SCHEMA.get("id")), **schema}
    by_declaration = SchemaCompliance().evaluate(response=json.dumps(value), schema=json.dumps(declared))
    for found in (by_argument, by_declaration):
        assert found.error is None
        assert found.passed == (first is None)
        assert found.details.get("path") == (None if first is None else first.json_path)


REMOTE = "https://example.org/other.json"


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"items": {"$ref": REMOTE}}}},
        {"properties": {"a": {"$ref": "#/$defs/far"}}, "$defs": {"far": {"$ref": REMOTE + "#/x"}}},
        {"$id": "https://example.org/here.json", "properties": {"a": {"$ref": "other.json"}}},
        {"properties": {"a": {"$ref": "file:///etc/passwd"}}},
        {"properties": {"a": {"$dynamicRef": REMOTE}}},
        {"properties": {"a": {"allOf": [{"not": {"$ref": REMOTE}}]}}},
    ],
)
def test_a_remote_reference_is_refused_wherever_it_is(schema: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a reference was fetched")

    monkeypatch.setattr("urllib.request.urlopen", never)
    monkeypatch.setattr("socket.socket.connect", never)
    found = SchemaCompliance(schema=schema).evaluate(response='{"a": [1]}')
    assert found.passed is None
    assert "$ref" in str(found.error)
    assert "fetched" in str(found.error) or "cannot be resolved" in str(found.error)


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize(
    "schema",
    [
        {
            "$ref": "#/definitions/a",
            "definitions": {"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}},
        },
        {"properties": {"x": {"$ref": "#/definitions/a"}}, "definitions": {"a": {"$ref": "#/definitions/a"}}},
    ],
)
def test_a_reference_to_itself_ends_with_a_counted_error(draft: str, schema: dict[str, Any]) -> None:
    found = SchemaCompliance(schema=schema, draft=draft).evaluate(response='{"x": 1}')
    assert found.passed is None
    assert "nested too deeply" in str(found.error)


def test_a_schema_that_refers_to_itself_follows_the_value_down() -> None:
    tree = {"type": "object", "properties": {"child": {"$ref": "#"}}, "required": ["n"]}
    check = SchemaCompliance(schema=tree)
    assert check.evaluate(response='{"n": 1, "child": {"n": 2, "child": {"n": 3}}}').passed
    assert check.evaluate(response='{"n": 1, "child": {"n": 2, "child": {}}}').details["path"] == "$.child.child"
    depth = 900
    deep = '{"n": 1, "child": ' * depth + '{"n": 1}' + "}" * depth
    found = check.evaluate(response=deep)
    assert found.passed or "nested too deeply" in str(found.error)


EVERYDAY = [*plain_schemas._FORMS, *plain_schemas._SCHEMA, *plain_schemas._SCHEMAS, *plain_schemas._NAMED, "$ref", "a"]
SLOPPY = st.recursive(
    SCALARS | TYPES | st.sampled_from(["(", "#/$defs/a", "#/definitions/a", "#/$defs/none", "#", -1, [], {}, [1, 1]]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(sorted(EVERYDAY)), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("draft", ["draft7", "2019-09", "2020-12"])
@given(st.dictionaries(st.sampled_from(sorted(EVERYDAY)), SLOPPY, min_size=1, max_size=3), VALUES)
@settings(max_examples=150, deadline=None)
def test_a_schema_taken_as_plain_is_valid_and_gives_the_verdict_of_jsonschema(
    draft: str, schema: dict[str, Any], value: object
) -> None:
    if not plain_schemas.is_plain(schema):
        return
    kind = getattr(jsonschema, DRAFTS[draft])
    kind.check_schema(schema)
    checker = kind(schema, format_checker=kind.FORMAT_CHECKER, registry=EMPTY_REGISTRY)
    try:
        right = checker.is_valid(value)
    except RecursionError:
        return
    assert plain_schemas.keeps(schema, value, kind.FORMAT_CHECKER.conforms) == right


@pytest.mark.parametrize("draft", ["draft7", "2019-09", "2020-12"])
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_plain_schemas_that_hold_schemas_give_the_verdict_of_jsonschema(draft: str, data: st.DataObject) -> None:
    schema = data.draw(documents(draft).filter(plain_schemas.is_plain))
    value = data.draw(VALUES)
    kind = getattr(jsonschema, DRAFTS[draft])
    kind.check_schema(schema)
    checker = kind(schema, format_checker=kind.FORMAT_CHECKER, registry=EMPTY_REGISTRY)
    assert plain_schemas.keeps(schema, value, kind.FORMAT_CHECKER.conforms) == checker.is_valid(value)


@pytest.mark.parametrize(
    ("schema", "value", "right"),
    [
        ({"enum": [1, "a"]}, True, False),
        ({"enum": [1, "a"]}, 1.0, True),
        ({"const": False}, 0, False),
        ({"type": "integer"}, 5.0, True),
        ({"type": "number"}, True, False),
        ({"oneOf": [{"type": "integer"}, {"minimum": 2}]}, 3, False),
        ({"not": {"required": ["a"]}}, {"a": 1}, False),
        ({"properties": {"a": False}}, {"b": 1}, True),
        ({"properties": {"a": True}, "additionalProperties": {"type": "null"}}, {"a": 1, "b": 2}, False),
        ({"$ref": "#/$defs/n", "$defs": {"n": {"exclusiveMinimum": 0}}}, 0, False),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "maxLength": 1}, "ab", False),
        ({"format": "date"}, "2024-02-30", False),
    ],
)
def test_everyday_schemas_are_plain_and_agree(schema: dict[str, Any], value: object, right: bool) -> None:
    assert plain_schemas.is_plain(schema)
    assert SchemaCompliance(schema=schema).evaluate(response=json.dumps(value)).passed is right
    assert jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).is_valid(value) is right


@pytest.mark.parametrize(
    ("schema", "draft", "told"),
    [
        ({}, None, "2020-12"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, None, "draft7"),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, None, None),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, "draft7", None),
        ({"$schema": ["x"]}, None, None),
        ({}, "draft4", None),
        (True, "draft7", "draft7"),
    ],
)
def test_only_drafts_that_agree_have_plain_schemas(schema: object, draft: str | None, told: str | None) -> None:
    assert plain_schemas.draft_of(schema, draft) == told


def test_a_wrong_schema_is_refused_however_often_it_comes() -> None:
    check = SchemaCompliance()
    for _ in range(2):
        assert "schema is not valid at $.type" in str(check.evaluate(response="1", schema='{"type": "objct"}').error)
        assert check.evaluate(response="1", schema='{"type": "object"}').passed is False
