"""Schemas, patterns, numbers, formats and fences as their standards have them, on every machine alike."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfevals.evaluators import JSONValidation, SchemaCompliance
from dfevals.evaluators.checking import DRAFTS, format_checker
from dfevals.evaluators.ecma_patterns import UnsupportedPattern, compiled
from dfevals.evaluators.values import unfenced


def verdict(schema: object, response: object, **options: Any) -> bool | None:
    found = SchemaCompliance(schema=schema, **options).evaluate(response=response)
    assert (found.passed is None) == (found.error is not None)
    return found.passed


INNER = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}
WRAPPERS: dict[str, dict[str, Any]] = {
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": INNER}},
    "without its type": {"json_schema": {"schema": INNER}},
    "in a request": {"model": "m", "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": INNER}}},
    "name, schema, strict": {"name": "n", "schema": INNER, "strict": True},
    "with a description": {"name": "n", "description": "A thing.", "schema": INNER},
    "responses": {"text": {"format": {"type": "json_schema", "name": "n", "schema": INNER, "strict": True}}},
    "format": {"format": {"type": "json_schema", "name": "n", "schema": INNER}},
    "inside of format": {"type": "json_schema", "name": "n", "schema": INNER},
    "anthropic": {"output_format": {"type": "json_schema", "schema": INNER}},
    "tool of openai": {"type": "function", "function": {"name": "f", "parameters": INNER}},
    "tool of anthropic": {"name": "f", "description": "Does it.", "input_schema": INNER},
    "tool of bedrock": {"toolSpec": {"name": "f", "inputSchema": {"json": INNER}}},
}  # fmt: skip


@pytest.mark.parametrize("wrapper", WRAPPERS.values(), ids=WRAPPERS)
@pytest.mark.parametrize("as_text", [False, True], ids=["dict", "text"])
def test_the_wrapper_of_a_schema_is_taken_off(wrapper: dict[str, Any], as_text: bool) -> None:
    schema = json.dumps(wrapper) if as_text else wrapper
    for response, right in [('{"a": 1}', True), ('{"a": "x"}', False), ("{}", False), ("[]", False)]:
        assert verdict(schema, response) is right
        assert SchemaCompliance().evaluate(response=response, schema=schema).passed is right


@pytest.mark.parametrize(
    "schema",
    [{"name": "n"}, {"age": "integer"}, {"type": "json_schema", "json_schema": {"name": "n"}}, {"schema": "x"}],
    ids=str,
)
def test_what_holds_no_keyword_is_no_schema(schema: dict[str, Any]) -> None:
    assert "no keyword of JSON Schema" in str(SchemaCompliance(schema=schema).evaluate(response="{}").error)


@pytest.mark.parametrize(
    "schema", [{}, True, {"title": "anything"}, {"properties": {"schema": {}, "name": {}}}], ids=str
)
def test_a_schema_that_asks_nothing_is_one(schema: object) -> None:
    assert verdict(schema, '{"schema": 1}')


@pytest.mark.parametrize("response", ['{"score": NaN}', '{"score": [1, -Infinity]}', {"score": float("nan")}], ids=str)
@pytest.mark.parametrize("schema", [{"properties": {"score": {"type": "number"}}}, {}], ids=str)
def test_nan_is_not_json(response: object, schema: dict[str, Any]) -> None:
    found = SchemaCompliance(schema=schema).evaluate(response=response)
    assert found.passed is False
    assert found.reason.startswith("not JSON")


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("```json\n{}\n```", "{}"),
        ("```json\r\n{}\r\n```\r\n", "{}"),
        ("```json  \n{}\n```  \n", "{}"),
        ("``` json title=x\n{}\n```", "{}"),
        ("\n\n   ~~~~ a`b\n{}\n~~~~~", "{}"),
        ("````\n```\n````", "```"),
        ("```\n{}", "{}"),  # CommonMark closes an open fence at the end
        ("```\n```", ""),
        ("    ```\n{}\n```", None),
        ("```json {}```", None),
        ("```\n{}\n```\nmore", None),
        ("before\n```\n{}\n```", None),
        ("```\n1\n~~~", "1\n~~~"),
    ],
)
def test_fences_as_commonmark_has_them(text: str, inside: str | None) -> None:
    assert unfenced(text) == (text if inside is None else inside)
    valid = inside == "{}"
    assert SchemaCompliance(schema={}, fenced=True).evaluate(response=text).passed is valid
    assert JSONValidation(fenced=True).evaluate(response=text).passed is valid
    assert JSONValidation().evaluate(response=text).passed is False


@pytest.mark.parametrize("text", ["`" * 10**6, " " * 10**6, "\n " * 10**6, "```\n" + "``` x\n" * 10**5, "~" * 10**6])
def test_fences_take_linear_time(text: str) -> None:
    assert isinstance(unfenced(text), str)


def test_amounts_are_multiples_of_a_cent() -> None:
    amounts = [f"{cents // 100}.{cents % 100:02d}" for cents in range(1001)]
    for schema in ({"multipleOf": 0.01}, {"multipleOf": 0.01, "if": True}):
        check = SchemaCompliance(schema=schema)
        assert all(check.evaluate(response=amount).passed for amount in amounts)
        assert not any(check.evaluate(response=amount + "5").passed for amount in amounts)


@given(st.decimals(-1000, 1000, places=3), st.decimals("0.001", 10, places=3))
@settings(max_examples=100, deadline=None)
def test_multiples_are_those_of_the_numbers_as_written(value: Decimal, divisor: Decimal) -> None:
    right = value % divisor == 0
    schema = f'{{"multipleOf": {divisor}}}'
    found = SchemaCompliance().evaluate(response=str(value), schema=schema)
    assert found.passed is right
    old = f'{{"divisibleBy": {divisor}, "$schema": "http://json-schema.org/draft-03/schema#"}}'
    assert SchemaCompliance().evaluate(response=str(value), schema=old).passed is right


def test_multiples_hold_in_a_schema_that_refers_to_itself() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "properties": {"amount": {"multipleOf": 0.01}, "next": {"$ref": "#"}},
    }
    assert verdict(schema, '{"next": {"next": {"amount": 0.07}}}')
    assert verdict(schema, '{"next": {"next": {"amount": 0.075}}}') is False


ECMA: list[tuple[str, list[str], list[str]]] = [
    ("^(yes|no)$", ["yes"], ["yes\n", "yes "]),
    (r"^\p{L}+$", ["Ωmega", "語"], ["a1", ""]),
    (r"^[\p{L}\p{Nd}_-]+$", ["Ω9_-"], ["a b"]),
    (r"^\P{Lu}$", ["a", "1"], ["Ä"]),
    (r"^[^\p{Letter}]$", ["1"], ["é"]),
    (r"^(?<year>\d{4})-\k<year>$", ["2020-2020"], ["2020-2021"]),
    (r"^\d+$", ["12"], ["٣"]),
    (r"^\w+$", ["a_1"], ["é"]),
    (r"^\s$", ["\ufeff", "\xa0", "\u2028"], ["\x1c", "\x85"]),
    (r"^.$", ["a", "😀"], ["\n", "\r", "\u2028"]),
    (r"^[\w-.]+$", ["a-.b"], ["a,", "a/"]),
    (r"a{,2}", ["a{,2}"], ["aa"]),
    (r"[]", [], ["", "]"]),
    (r"^[^]$", ["\n", "a"], [""]),
    (r"^[\uD83D\uDE00-\u{1F64F}]$", ["😁"], ["a"]),
    (r"^\/a$", ["/a"], ["a"]),
    (r"^[[a&&b]+$", ["[a&b"], ["c"]),
    (r"\bcaf\b", ["café"], ["cafe"]),
    (r"^\B$", [""], ["a"]),
    ("(?P<x>a)(?P=x)", ["aa"], ["a"]),  # Python's own, as before
    (r"(?i)\Aabc\Z", ["ABC"], ["abcd"]),
]


@pytest.mark.parametrize(("pattern", "right", "wrong"), ECMA, ids=[case[0] for case in ECMA])
@pytest.mark.parametrize("beside", [{}, {"if": True}], ids=["plain", "jsonschema"])
def test_patterns_are_those_of_ecma_262(
    pattern: str, right: list[str], wrong: list[str], beside: dict[str, object]
) -> None:
    check = SchemaCompliance(schema={"pattern": pattern, **beside})
    keys = SchemaCompliance(schema={"patternProperties": {pattern: {}}, "additionalProperties": False})
    for text, fits in [*((one, True) for one in right), *((one, False) for one in wrong)]:
        found = check.evaluate(response=json.dumps(text))
        assert (found.passed, found.error) == (fits, None)
        assert fits or found.reason.endswith(f"does not match {pattern!r}")
        assert keys.evaluate(response=json.dumps({text: 1})).passed is fits


def test_names_and_data_that_look_like_patterns_are_left_alone() -> None:
    schema = {
        "properties": {"pattern": {"const": {"pattern": "a$"}}, "patternProperties": {"$ref": "#/$defs/n"}},
        "$defs": {"n": {"type": "integer"}},
        "default": {"pattern": "("},
    }
    assert verdict(schema, '{"pattern": {"pattern": "a$"}, "patternProperties": 1}')
    assert verdict(schema, '{"patternProperties": "x"}') is False
    by_name = {
        "patternProperties": {"^a$": {"type": "integer"}},
        "properties": {"b": {"$ref": "#/patternProperties/^a$"}},
    }
    assert verdict(by_name, '{"b": 1, "a": 2}')
    assert verdict(by_name, '{"b": "x"}') is False


@pytest.mark.parametrize("pattern", [r"\p{Script=Greek}", "(?<=a+)b"])
def test_a_pattern_that_is_valid_and_not_known_here_is_said(pattern: str) -> None:
    with pytest.raises(UnsupportedPattern):
        compiled(pattern)
    found = SchemaCompliance(schema={"pattern": pattern}).evaluate(response='"b"')
    assert "not supported" in str(found.error)
    assert "cannot be checked here" in str(found.error)


@pytest.mark.parametrize("pattern", ["(", "[a", r"\y", "[z-a]", "*a", "\\"])
def test_a_pattern_that_is_not_valid_is_an_error_of_the_schema(pattern: str) -> None:
    assert "schema is not valid" in str(SchemaCompliance(schema={"pattern": pattern}).evaluate(response='"b"').error)


SEVEN, NEWEST = {"items": [{"type": "integer"}]}, {"prefixItems": [{"type": "integer"}]}


@pytest.mark.parametrize(
    "address",
    [
        "http://json-schema.org/draft-07/schema#",
        "https://json-schema.org/draft-07/schema#",
        "https://json-schema.org/draft-07/schema",
        "http://json-schema.org/draft-07/schema",
    ],
)
def test_a_draft_is_known_by_any_spelling_of_its_address(address: str) -> None:
    assert verdict({"$schema": address, **SEVEN}, '["a"]') is False
    assert verdict({"$schema": address, **NEWEST}, '["a"]') is True
    newest = address.replace("draft-07", "draft/2020-12")
    assert verdict({"$schema": newest, **NEWEST}, '["a"]') is False


@pytest.mark.parametrize(
    "address", ["https://json-schema.org/draft/2030-01/schema", "https://example.org/own", ["x"], 7]
)
@pytest.mark.parametrize("beside", [{}, {"if": True}, {"format": "date"}], ids=str)
def test_an_unknown_draft_is_an_error_unless_one_is_said(address: object, beside: dict[str, object]) -> None:
    found = SchemaCompliance(schema={"$schema": address, "type": "integer", **beside}).evaluate(response="1")
    assert "no known draft" in str(found.error)
    if isinstance(address, str):
        assert verdict({"$schema": address, "type": "integer", **beside}, "1", draft="2020-12")


FORMATS: dict[str, tuple[list[str], list[str]]] = {
    "date": (["2024-02-29"], ["2023-02-29", "20240228", "2024-W01-1", "২024-01-01"]),
    "time": (["08:30:06.28Z", "23:59:60Z", "15:59:60-08:00"], ["08:30:06", "22:59:60Z", "24:00:00Z", "01:02:03+24:00"]),
    "date-time": (["1963-06-19t08:30:06.28z", "1998-12-31T23:59:60Z"], ["1998-12-31T23:58:60Z", "1963-06-19 08:30:06Z"]),
    "duration": (["P4DT12H30M5S", "PT0S", "P2W", "P1M"], ["PT1D", "P", "P1YT", "P1D2H", "P1Y2W", "1W", "P2D1Y"]),
    "email": (["te~st@example.com", '"joe bloggs"@example.com', "joe@[127.0.0.1]"], ["2962", ".a@b.org", "a..b@c.org", "a@"]),
    "hostname": (["www.example.com", "host"], ["-a", "not_valid", "a" * 64, "", "ho..st", "host\n"]),
    "ipv4": (["192.168.0.1"], ["256.0.0.1", "127.0", "087.10.0.1", "1.1.1.1/24"]),
    "ipv6": (["::1", "::ffff:192.168.0.1"], ["12345::", "1::2::3", "fe80::a%eth1"]),
    "uuid": (["2EB8AA08-AA98-11EA-B4AA-73B441D16380"], ["2eb8aa08aa9811eab4aa73b441d16380", "{2eb8aa08-aa98-11ea-b4aa-73b441d16380}"]),
    "uri": (["http://foo.bar/?q=%20#x", "urn:a:b", "ldap://[2001:db8::7]/c?d"], ["//foo.bar", "/abc", "http://a b", "http://[::1x]/", "http://é.com"]),
    "uri-reference": (["/abc", "abc", "#x", "", "//foo.bar/?b"], ["\\\\WIN", "#frag\\ment", "ü", "1a:b"]),
    "iri": (["http://ƒøø.ßår/?∂éœ=πîx#πîüx"], ["/abc", "âππ", "http://2001:0db8:85a3:0000:0000:8a2e:0370:7334"]),
    "iri-reference": (["âππ", "#ƒrägmênt"], ["\\\\WINDOWS\\filëßåré"]),
    "uri-template": (["http://a.org/{term:1}/{?q,lang*}"], ["http://a.org/{term", "{}", "a b"]),
    "json-pointer": (["", "/foo/bar~0/baz~1/%a", "/"], ["/foo/bar~", "#", "a"]),
    "relative-json-pointer": (["1", "0/foo", "0#"], ["/foo", "-1/foo", "01/a", "", "0##"]),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_formats_by_their_own_standards(name: str) -> None:
    check = SchemaCompliance(schema={"format": name})
    for text, right in [*((one, True) for one in FORMATS[name][0]), *((one, False) for one in FORMATS[name][1])]:
        found = check.evaluate(response=json.dumps(text))
        assert found.passed is right, text
        assert "unchecked_formats" not in found.details
    assert check.evaluate(response="5").passed  # formats are about texts


@pytest.mark.parametrize("draft", DRAFTS)
def test_every_format_that_jsonschema_could_check_is_checked_or_named(draft: str) -> None:
    possible = set(getattr(jsonschema, DRAFTS[draft]).FORMAT_CHECKER.checkers)
    unchecked = possible - set(format_checker(draft).checkers)
    assert unchecked <= {"idn-hostname"}
    for name in [*unchecked, "phone"]:
        schema = {"properties": {"a": {"format": name}, "format": {"type": "string"}}}
        found = SchemaCompliance(schema=schema, draft=draft).evaluate(response='{"a": "???"}')
        assert found.reason == f"keeps to the schema; not checked: format {name!r}"
        assert found.details["unchecked_formats"] == [name]
        assert SchemaCompliance(schema=schema, draft=draft, formats=False).evaluate(response="{}").details == {}


def test_verdicts_do_not_depend_on_what_else_is_installed() -> None:
    bad = [(name, text) for name, (_, wrong) in FORMATS.items() for text in wrong]
    script = (
        "import sys, json\n"
        "for name in ('idna', 'fqdn', 'rfc3987', 'rfc3986_validator', 'rfc3987_syntax', 'rfc3339_validator', 'isoduration',\n"
        "             'jsonpointer', 'uri_template', 'webcolors'):\n"
        "    sys.modules[name] = None\n"
        "from dfevals.evaluators import SchemaCompliance\n"
        "for name, text in json.load(sys.stdin):\n"
        "    assert SchemaCompliance(schema={'format': name}).evaluate(response=json.dumps(text)).passed is False, name\n"
    )
    done = subprocess.run([sys.executable, "-c", script], input=json.dumps(bad), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_nested_cells_keep_their_verdicts_on_the_way_through_parquet(tmp_path: Path) -> None:
    responses = [
        {"ids": [1, 2], "at": {"xy": [[0.5, 1.0], [2.0]]}},
        {"ids": [], "at": {"xy": []}},
        {"ids": [-1], "at": {"xy": []}},
    ]
    schemas = [
        {"type": "object", "required": ["ids"], "properties": {"ids": {"type": "array", "items": {"minimum": 0}}}},
        {"type": "object", "properties": {"at": {"properties": {"xy": {"type": "array", "minItems": 1}}}}},
        {"type": "object", "required": ["ids"], "properties": {"ids": {"type": "array", "items": {"minimum": 0}}}},
    ]
    frame = pd.DataFrame({"response": responses, "schema": schemas})
    frame.to_parquet(tmp_path / "cells.parquet")
    read = pd.read_parquet(tmp_path / "cells.parquet")
    for one in (frame, read):
        done = one.evals.annotate([SchemaCompliance()], progress=False)
        assert done["schema_compliance_error"].isna().all()
        assert done["schema_compliance"].tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "response",
    [
        {"a": np.array([1, 2])},
        {"a": (np.int64(1), 2)},
        {"a": np.array([1.0, np.nan])},  # Parquet's null in a list of numbers
        [{"a": np.array([np.int8(1)])}][0],
    ],
    ids=str,
)
def test_arrays_and_numbers_of_numpy_are_json(response: object) -> None:
    schema = {"properties": {"a": {"type": "array", "items": {"type": ["integer", "null"]}}}}
    assert verdict(schema, response)
    assert verdict({"properties": {"a": {"type": "array", "items": {"type": "string"}}}}, response) is False
