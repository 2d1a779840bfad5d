"""The verdict of JSON Schemas made of everyday keywords alone, without the cost of a general validator.

jsonschema checks each new schema against the draft's own schema, which takes milliseconds, and builds a validator per
subschema. A schema that is plainly well formed needs neither. Whatever is not plain is left to jsonschema, and so are
the path and message of a violation.
"""

from __future__ import annotations

import numbers
import re
from collections.abc import Callable, Iterable
from typing import Any

from dfevals.evaluators.checking import SchemaProblem, declared_draft
from dfevals.evaluators.ecma_patterns import compiled

__all__ = ["draft_of", "is_plain", "keeps"]

_DRAFTS = ("draft7", "2019-09", "2020-12")  # these agree on every keyword below
_REFERENCE = re.compile(r"#/(\$defs|definitions)/([A-Za-z0-9_.-]+)\Z")


def draft_of(schema: object, draft: str | None) -> str | None:
    """The draft by which a schema is read; None for one that has no plain schemas."""
    try:
        told = declared_draft(schema) or "2020-12"
    except SchemaProblem:
        return None
    wanted = draft or told
    return wanted if told in _DRAFTS and wanted in _DRAFTS else None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_truth_value(value: object) -> bool:
    return isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _is_pattern(value: object) -> bool:
    try:
        compiled(value)
    except (re.error, TypeError, RecursionError, OverflowError):
        return False
    return True


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value)


def _is_type(value: object) -> bool:
    if isinstance(value, str):
        return value in _TYPES
    return _are_names(value) and value != [] and all(name in _TYPES for name in value)  # type: ignore[attr-defined]


def _number(value: object) -> bool:
    return type(value) in (int, float) or (isinstance(value, numbers.Number) and not isinstance(value, bool))


def _integer(value: object) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": _is_truth_value,
    "string": _is_text,
    "number": _number,
    "integer": _integer,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
_SAYS_NOTHING: dict[str, Callable[[Any], bool]] = {
    "title": _is_text,
    "description": _is_text,
    "$comment": _is_text,
    "default": lambda value: True,
    "examples": lambda value: isinstance(value, list),
    "readOnly": _is_truth_value,
    "writeOnly": _is_truth_value,
    "deprecated": _is_truth_value,
}
_FORMS: dict[str, Callable[[Any], bool]] = {
    **_SAYS_NOTHING,
    "type": _is_type,
    "enum": lambda value: isinstance(value, list) and value != [] and all(map(_is_scalar, value)),
    "const": _is_scalar,
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _number),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _is_count),
    "pattern": _is_pattern,
    "format": _is_text,
    "required": _are_names,
}
_SCHEMA = ("items", "additionalProperties", "not")
_PARTS = ("items", "properties", "additionalProperties")
_SCHEMAS = ("allOf", "anyOf", "oneOf")
_NAMED = ("properties", "$defs", "definitions")
_BESIDE_REFERENCE = {"$ref", "$schema", "$defs", "definitions", *_SAYS_NOTHING}


def is_plain(root: Any) -> bool:
    """Whether a schema holds everyday keywords alone, every one of them well formed.

    Examples
    --------
    >>> is_plain({"type": "object", "required": ["id"]}), is_plain({"type": "objct"}), is_plain({"if": {}})
    (True, False, False)
    """
    todo: list[Any] = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, bool):
            continue
        if not isinstance(node, dict):
            return False
        for key, value in node.items():
            form = _FORMS.get(key)
            if form is not None:
                if not form(value):
                    return False
            elif key in _SCHEMA:
                todo.append(value)
            elif key in _NAMED:
                if not isinstance(value, dict):
                    return False
                todo.extend(value.values())
            elif key in _SCHEMAS:
                if not isinstance(value, list) or not value:
                    return False
                todo.extend(value)
            elif key == "$ref":
                if _target(root, value) is None or not node.keys() <= _BESIDE_REFERENCE:
                    return False
            elif key != "$schema" or node is not root:
                return False
    return True


def _target(root: dict[str, Any], reference: object) -> Any:
    found = _REFERENCE.match(reference) if isinstance(reference, str) else None
    place = root.get(found[1]) if found else None
    return place.get(found[2]) if found and isinstance(place, dict) else None


Conforms = Callable[[Any, str], bool]


def keeps(root: Any, instance: Any, conforms: Conforms | None) -> bool:
    """Whether a value keeps to a plain schema; `conforms` checks formats.

    Examples
    --------
    >>> keeps({"type": "array", "items": {"type": "integer"}}, [1, 2.0, True], None)
    False
    """
    return _keeps(root, instance, root, conforms)


def _keeps(schema: Any, instance: Any, root: Any, conforms: Conforms | None) -> bool:
    if isinstance(schema, bool):
        return schema
    for key, value in schema.items():
        check = _SIMPLE.get(key)
        if check is not None:
            if not check(instance, value):
                return False
        elif key == "format":
            if conforms is not None and not conforms(instance, value):
                return False
        elif key == "$ref":
            if not _keeps(_target(root, value), instance, root, conforms):
                return False
        elif key in _JOINED:
            parts = value if isinstance(value, list) else [value]
            if not _JOINED[key](_keeps(part, instance, root, conforms) for part in parts):
                return False
        elif key in _PARTS and not _parts_keep(key, value, instance, schema, root, conforms):
            return False
    return True


def _parts_keep(key: str, value: Any, instance: Any, schema: Any, root: Any, conforms: Conforms | None) -> bool:
    """Whether the items and properties of a value keep to the schemas that a keyword gives them."""
    if key == "items":
        return not isinstance(instance, list) or all(_keeps(value, item, root, conforms) for item in instance)
    if not isinstance(instance, dict):
        return True
    if key == "properties":
        for name, part in value.items():  # a loop, since this is where most of the time goes
            if name in instance and not _keeps(part, instance[name], root, conforms):
                return False
        return True
    known = schema.get("properties", ())
    return all(_keeps(value, item, root, conforms) for name, item in instance.items() if name not in known)


def _has_type(instance: Any, names: Any) -> bool:
    return _TYPES[names](instance) if isinstance(names, str) else any(_TYPES[name](instance) for name in names)


def _same(instance: Any, scalar: Any) -> bool:
    """Equality of JSON values, one of them no container: 1 is 1.0, and neither is true."""
    if isinstance(instance, bool) or isinstance(scalar, bool):
        return instance is scalar
    return bool(instance == scalar)


_SIMPLE: dict[str, Callable[[Any, Any], bool]] = {
    "type": _has_type,
    "enum": lambda instance, values: any(_same(instance, value) for value in values),
    "const": _same,
    "minimum": lambda instance, limit: not (_number(instance) and instance < limit),
    "maximum": lambda instance, limit: not (_number(instance) and instance > limit),
    "exclusiveMinimum": lambda instance, limit: not (_number(instance) and instance <= limit),
    "exclusiveMaximum": lambda instance, limit: not (_number(instance) and instance >= limit),
    "minLength": lambda instance, limit: not (isinstance(instance, str) and len(instance) < limit),
    "maxLength": lambda instance, limit: not (isinstance(instance, str) and len(instance) > limit),
    "minItems": lambda instance, limit: not (isinstance(instance, list) and len(instance) < limit),
    "maxItems": lambda instance, limit: not (isinstance(instance, list) and len(instance) > limit),
    "minProperties": lambda instance, limit: not (isinstance(instance, dict) and len(instance) < limit),
    "maxProperties": lambda instance, limit: not (isinstance(instance, dict) and len(instance) > limit),
    "required": lambda instance, names: not isinstance(instance, dict) or all(name in instance for name in names),
    "pattern": lambda instance, pattern: (
        not isinstance(instance, str) or compiled(pattern).search(instance) is not None
    ),
}
_JOINED: dict[str, Callable[[Iterable[bool]], bool]] = {
    "allOf": all,
    "anyOf": any,
    "oneOf": lambda kept: sum(kept) == 1,
    "not": lambda kept: not any(kept),
}
