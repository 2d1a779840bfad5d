"""Gate files: a release gate as TOML, for the command line and for review beside the code."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from dfevals.analyses.gate.gate import MISSING, Gate
from dfevals.cohorts.plain import from_plain
from dfevals.exceptions import DataError, check_choice, did_you_mean
from dfevals.inference.levels import check_level
from dfevals.roles.declared import Outcome, Roles

__all__ = ["GateFile", "read_gate_file"]

Kind = type | tuple[type, ...]
TEXT: tuple[Kind, str] = (str, "a text")
NUMBER: tuple[Kind, str] = ((int, float), "a number")
BY: tuple[Kind, str] = ((str, list, dict), "a column, a list, or a table of named expressions")
KINDS: dict[str, tuple[Kind, str]] = {
    "model": TEXT,
    "baseline": TEXT,
    "missing": TEXT,
    "level": NUMBER,
    "by": BY,
    "roles": (dict, "a table, below [roles]"),
    "rules": (list, "a list of tables: [[rules]]"),
}
RULE_KINDS = {"metric": TEXT, "op": TEXT, "vs": TEXT, "limit": NUMBER, "margin": NUMBER, "level": NUMBER, "by": BY}
LONGEST = 1_000_000
MANY_PARTS = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){30}"""
)  # the parser's time grows with their square
RULE_KEYS = ("metric", "op", "limit", "vs", "margin", "by", "level")


@dataclass(frozen=True)
class GateFile:
    """What a gate file says."""

    roles: Roles
    rules: tuple[Gate, ...]
    by: Any = None
    baseline: str | None = None
    model: str | None = None
    level: float = 0.95
    missing: str = "worst"

    def judge(self, evaluation: Any) -> Any:
        """The GateResult of an evaluation made with these roles."""
        named = {"model": self.model, "baseline": self.baseline, "by": self.by, "level": self.level}
        return evaluation.gate(list(self.rules), missing=self.missing, **named)


def read_gate_file(path: str | Path) -> GateFile:
    """Read a gate file.

    Raises
    ------
    DataError
        No such file, text that is not UTF-8, too long or nested too deeply, TOML that is not valid, or an unknown key
        (with the nearest right one).
    """
    try:
        table = _table(path)
        _check_numbers(table, str(path))
        return _read(table, str(path))
    except RecursionError:
        raise DataError(f"The gate file {str(path)!r} is nested too deeply to be read.") from None


def _read(table: Mapping[str, Any], path: str) -> GateFile:
    _check_keys(table, [field.name for field in fields(GateFile)], path)
    for key, (kind, named) in KINDS.items():
        _check_kind(table, key, kind, named, path)
    check_choice(f"{path}: missing", table.get("missing", "worst"), MISSING, DataError)
    rules = table.get("rules")
    if not rules:
        raise DataError(f"{path} has no rules. Add at least one [[rules]] with metric, op and limit.")
    roles = dict(table.get("roles", {}))
    if "outcomes" in roles:
        roles["outcomes"] = [_outcome(item, path) for item in _listed(roles["outcomes"])]
    if "cohorts" in roles:
        roles["cohorts"] = [from_plain(item) for item in _listed(roles["cohorts"])]
    return GateFile(
        Roles.build(roles),
        tuple(_rule(rule, i, path) for i, rule in enumerate(rules, 1)),
        _by(table.get("by")),
        table.get("baseline"),
        table.get("model"),
        check_level(table.get("level", 0.95), f"{path}: level"),
        table.get("missing", "worst"),
    )


def _check_numbers(value: Any, path: str) -> None:
    """Refuse whole numbers beyond TOML's 64 bits: no column, limit or number of cohorts is as large."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise DataError(
            f"{path} holds a whole number of more than 64 bits. Write it as a decimal number, such as 1e30."
        )
    for item in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        _check_numbers(item, path)


def _table(path: str | Path) -> dict[str, Any]:
    """The TOML of a file; what would take long to read is refused before it is read."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(LONGEST + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise DataError(f"Cannot read the gate file {str(path)!r}: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"The gate file {str(path)!r} is not UTF-8 text: {error.reason} at byte {error.start}."
        ) from None
    if len(data) > LONGEST:
        raise DataError(f"The gate file {str(path)!r} is longer than {LONGEST:,} bytes. Is it the data?")
    if MANY_PARTS.search(text):
        raise DataError(f"The gate file {str(path)!r} has a key of more than 30 parts, which no gate file needs.")
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path} is not valid TOML: {error}.") from None
    except ValueError as error:  # a number of thousands of digits, a date that no calendar has
        raise DataError(f"{path} holds a value that cannot be read: {error}.") from None


def _rule(table: Mapping[str, Any], number: int, path: str) -> Gate:
    _check_keys(table, RULE_KEYS, f"{path}, rule {number}")
    if "metric" not in table:
        raise DataError(f"{path}, rule {number} has no metric.")
    for key, (kind, named) in RULE_KINDS.items():
        _check_kind(table, key, kind, named, f"{path}, rule {number}")
    return Gate(**{**table, "by": _by(table.get("by"))})


def _outcome(item: Any, path: str) -> Outcome:
    if isinstance(item, str):
        return Outcome(item)
    _check_keys(item, [field.name for field in fields(Outcome)], f"{path}, outcomes")
    if "column" not in item:
        raise DataError(f"{path}, outcomes: an outcome has no column.")
    for key in item:
        _check_kind(item, key, *(NUMBER if key == "pass_at" else TEXT), f"{path}, outcomes")
    return Outcome(**item)


def _by(value: Any) -> Any:
    """Columns, definitions such as {bins = ["age", [30, 50]]}, or a table of named expressions."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {str(name): str(expression) for name, expression in value.items()}
    return [from_plain(item) for item in value]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _check_keys(table: Any, known: Any, where: str) -> None:
    if not isinstance(table, Mapping):
        raise DataError(f"{where}: {table!r:.100} is not a table.")
    for key in table:
        if key not in known:
            raise DataError(f"{where}: unknown key {key!r}. {did_you_mean(key, known, noun='Keys')}")


def _check_kind(table: Mapping[str, Any], key: str, kind: Kind, named: str, where: str) -> None:
    value = table.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, kind)):
        raise DataError(f"{where}: {key} = {value!r:.100} must be {named}.")
