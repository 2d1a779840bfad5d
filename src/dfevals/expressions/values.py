"""Computes checked expressions over a block of rows: comparisons, membership, arithmetic, searches in text."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from dfevals.columns.codes import Array
from dfevals.expressions.operands import Coded, Objects, Operand, Plain, Times

__all__ = ["Evaluator", "InvalidOperation"]

_COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FLIPPED = {
    operator.eq: operator.eq,
    operator.ne: operator.ne,
    operator.lt: operator.gt,
    operator.gt: operator.lt,
    operator.le: operator.ge,
    operator.ge: operator.le,
}
_SIGNS = {
    operator.eq: "==",
    operator.ne: "!=",
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
}
_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}


class InvalidOperation(Exception):
    """An operation that its values do not allow; `node` is its place."""

    def __init__(self, node: ast.expr, message: str) -> None:
        super().__init__(message)
        self.node = node


class Evaluator:
    """Computes a checked expression tree over one block of rows."""

    def __init__(self, column: Callable[[str], Operand], n_rows: int) -> None:
        self._column = column
        self._n_rows = n_rows

    def truth(self, node: ast.expr) -> Array:
        """Boolean array of a node that must be a condition."""
        match node:
            case ast.BoolOp(op=op, values=values):
                combine = np.logical_and if isinstance(op, ast.And) else np.logical_or
                out = self.truth(values[0])
                for value in values[1:]:
                    out = combine(out, self.truth(value))
                return out
            case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
                return ~self.truth(operand)
            case ast.Compare():
                return self._comparisons(node)
            case ast.Call() if _called(node)[0] != "len":
                return self._call(node)
        return self._condition(self.value(node), node)

    def value(self, node: ast.expr) -> Any:
        """Operand or Python scalar of a node."""
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self._column(name)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as op, operand=operand):
                number = self._number(self.value(operand), operand)
                if isinstance(op, ast.UAdd):
                    return number
                return Plain(-number.values, number.gone) if isinstance(number, Plain) else -number
            case ast.BinOp(left=left, op=op, right=right):
                return self._arithmetic(type(op), self.value(left), self.value(right), node)
            case ast.Call() if _called(node)[0] == "len":
                return self._length(_called(node)[1])
        return Plain(self.truth(node))

    def _condition(self, value: Any, node: ast.expr) -> Array:
        if isinstance(value, bool):
            return np.full(self._n_rows, value)
        if isinstance(value, Plain) and value.values.dtype == bool:
            return value.values if value.gone is None else value.values & ~value.gone
        if isinstance(value, Coded):
            return value.take(self._condition(value.levels, node), False)
        if isinstance(value, Objects):
            _, levels = value.coded()
            if all(isinstance(v, (bool, np.bool_)) for v in levels):
                return value.over_levels(bool, False)
        what = f"this holds {value.what}" if isinstance(value, Operand) else f"this is {value!r}"
        raise InvalidOperation(node, f"A condition is needed here, but {what}. Compare it, as in x > 1 or x == 'a'.")

    def _comparisons(self, node: ast.Compare) -> Array:
        out: Array | None = None
        left = self.value(node.left)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right: Any = None
            if isinstance(op, (ast.In, ast.NotIn)):
                assert isinstance(right_node, (ast.List, ast.Tuple))
                found = self._member(left, [self.value(item) for item in right_node.elts], node)
                found = ~found if isinstance(op, ast.NotIn) else found
            else:
                right = self.value(right_node)
                found = self._compare(_COMPARE[type(op)], left, right, node)
            out = found if out is None else out & found
            left = right
        assert out is not None
        return out

    def _compare(self, op: Any, left: Any, right: Any, node: ast.expr) -> Array:
        if not isinstance(left, Operand):
            if isinstance(right, Operand):
                return self._compare(_FLIPPED[op], right, left, node)
            return np.full(self._n_rows, _scalars(op, left, right, node))
        if right is None:
            raise InvalidOperation(node, "A comparison with None never selects rows. Write isna(x) or not isna(x).")
        if isinstance(right, Operand):
            return _columns(op, left, right, node)
        if isinstance(left, Coded):
            levels = self._compare(op, left.levels, right, node)
            return left.take(levels, op is operator.ne)
        if isinstance(left, Objects):
            return _cells(op, left, right, node)
        if isinstance(left, Times):
            return _times(op, left, right, node)
        if isinstance(right, str):
            raise InvalidOperation(
                node, f"This compares {left.what} with the text {right!r}. Write a number without quotes."
            )
        found = op(left.values, _bounded(right, left.values))
        return _with_missing(op, found, left.gone)

    def _member(self, left: Any, items: list[Any], node: ast.Compare) -> Array:
        wants_missing = None in items
        items = [item for item in items if item is not None]
        if isinstance(left, Coded):
            inner = self._member(left.levels, items, node)
            found = left.take(inner, False)
        elif isinstance(left, Objects):
            listed = set(items)
            try:
                found = left.over_levels(listed.__contains__, False) if len(items) > 3 else _any_equal(left, items)
            except TypeError as error:
                raise InvalidOperation(node, f"These cells cannot be looked up in a list: {error}.") from error
        elif isinstance(left, Plain) and len(items) > 8 and not any(isinstance(item, str) for item in items):
            found = np.isin(left.values, items)
            found = _with_missing(operator.eq, found, left.gone)
        else:
            found = np.zeros(self._n_rows if not isinstance(left, Operand) else len(left.missing()), dtype=bool)
            for item in items:
                found |= self._compare(operator.eq, left, item, node)[: len(found)]
        if wants_missing and isinstance(left, Operand):
            found = found | left.missing()
        return found

    def _call(self, node: ast.Call) -> Array:
        name, subject, rest = _called(node)
        value = self.value(subject)
        if not isinstance(value, Operand):
            raise InvalidOperation(subject, f"{name} needs a column, not {value!r}.")
        if name in ("isna", "notna", "isnull", "notnull"):
            missing = value.missing()
            return ~missing if name in ("notna", "notnull") else missing
        assert isinstance(rest[0], ast.Constant)
        return _search(name, value, str(rest[0].value), subject)

    def _length(self, subject: ast.expr) -> Plain:
        """Number of characters of every text; missing values have none."""
        value = self.value(subject)
        if isinstance(value, Coded) and isinstance(value.levels, Objects):
            return Plain(value.take(_lengths(value.levels.cells, value.levels, subject), np.nan))
        if not isinstance(value, Objects):
            what = f"holds {value.what}" if isinstance(value, Operand) else f"is {value!r}"
            raise InvalidOperation(subject, f"len counts the characters of text, but this {what}.")
        codes, levels = value.coded()
        return Plain(np.append(_lengths(levels, value, subject), np.nan).take(codes))

    def _number(self, value: Any, node: ast.expr) -> Plain | int | float:
        """A number or a column of numbers, wide enough for arithmetic."""
        if isinstance(value, Coded):
            levels = self._number(value.levels, node)
            assert isinstance(levels, Plain)
            values = np.append(levels.values.astype(np.float64), np.nan).take(value.codes)
            return Plain(values)
        if isinstance(value, Objects):
            gone = value.missing()
            cells = value.cells[~gone]
            if all(isinstance(v, (int, float, np.number)) for v in cells):
                out = np.full(len(gone), np.nan)
                out[~gone] = cells.astype(np.float64)
                return Plain(out)
        if isinstance(value, Plain):
            small = value.values.dtype.kind == "b" or (
                value.values.dtype.kind in "iu" and value.values.dtype.itemsize < 8
            )
            values = value.values.astype(np.int64) if small else value.values
            return Plain(values, value.gone)
        if isinstance(value, (int, float)):
            return value + 0
        what = f"holds {value.what}" if isinstance(value, Operand) else f"is {value!r}"
        raise InvalidOperation(node, f"Arithmetic needs numbers, but this {what}.")

    def _arithmetic(self, op: type, left: Any, right: Any, node: ast.BinOp) -> Any:
        if (isinstance(left, Times) or isinstance(right, Times)) and op in (ast.Add, ast.Sub):
            return _time_arithmetic(op, left, right, node)
        a, b = self._number(left, node.left), self._number(right, node.right)
        if not isinstance(a, Plain) and not isinstance(b, Plain):
            return _scalar_arithmetic(op, a, b, node)
        x = a.values if isinstance(a, Plain) else _bounded(a, None)
        y = b.values if isinstance(b, Plain) else _bounded(b, None)
        if op is ast.Pow or (op in (ast.FloorDiv, ast.Mod) and np.any(np.equal(y, 0))):
            x = np.asarray(x, dtype=np.float64)
        with np.errstate(all="ignore"):
            values = _ARITHMETIC[op](x, y)
        marks = [v.gone for v in (a, b) if isinstance(v, Plain) and v.gone is not None]
        return Plain(np.asarray(values), np.logical_or.reduce(marks) if marks else None)


def _called(node: ast.Call) -> tuple[str, ast.expr, list[ast.expr]]:
    """Name of a function, what it is about, and its literals: f(x, '…'), x.f('…') or x.str.f('…')."""
    if isinstance(node.func, ast.Attribute):
        subject = node.func.value
        return node.func.attr, subject.value if isinstance(subject, ast.Attribute) else subject, node.args
    assert isinstance(node.func, ast.Name)
    return node.func.id, node.args[0], node.args[1:]


def _lengths(cells: Any, value: Operand, node: ast.expr) -> Array:
    if not all(isinstance(cell, str) for cell in cells):
        raise InvalidOperation(node, f"len counts the characters of text, but not all cells here are {value.what}.")
    return np.array([len(cell) for cell in cells], dtype=np.float64)


def _scalars(op: Any, left: Any, right: Any, node: ast.expr) -> bool:
    try:
        return bool(op(left, right))
    except TypeError as error:
        raise InvalidOperation(node, f"{left!r} and {right!r} cannot be compared by {_SIGNS[op]}.") from error


def _with_missing(op: Any, found: Array, gone: Array | None) -> Array:
    """Comparisons with missing values are False; unequal is True."""
    if gone is None:
        return found
    return found | gone if op is operator.ne else found & ~gone


def _bounded(number: Any, values: Array | None) -> Any:
    """Whole numbers beyond 64 bits as floating ones, so that numpy takes them."""
    limit = 1 << 64 if values is not None and values.dtype == np.uint64 else 1 << 63
    return float(number) if isinstance(number, int) and not -(1 << 63) <= number < limit else number


def _cells(op: Any, left: Objects, right: Any, node: ast.expr) -> Array:
    if op is operator.eq:
        return left.equals(right)
    if op is operator.ne:
        return ~left.equals(right)
    try:
        return left.over_levels(lambda v: op(v, right), False)
    except TypeError as error:
        raise InvalidOperation(
            node,
            f"Some values cannot be compared with {right!r} by {_SIGNS[op]}: {error}. Is one of them text, the other a number?",
        ) from error


def _any_equal(left: Objects, items: list[Any]) -> Array:
    found = np.zeros(len(left.cells), dtype=bool)
    for item in items:
        found |= left.equals(item)
    return found


def _times(op: Any, left: Times, right: Any, node: ast.expr) -> Array:
    kind = getattr(left.array.dtype, "kind", "O")
    try:
        if isinstance(right, str) and kind in "mM":
            right = pd.Timestamp(right) if kind == "M" else pd.Timedelta(right)
            if kind == "M" and getattr(left.array.dtype, "tz", None) is not None and right.tzinfo is None:
                right = right.tz_localize(left.array.dtype.tz, ambiguous=True, nonexistent="shift_forward")
        elif not isinstance(right, str):
            raise TypeError(f"{right!r} is not a time")
        found = op(left.array, right)
    except (TypeError, ValueError, OverflowError) as error:
        example = "'2024-01-31'" if kind == "M" else "'1 days'"
        raise InvalidOperation(node, f"Times compare with text such as {example}: {error}.") from error
    return np.asarray(found, dtype=bool)


def _columns(op: Any, left: Operand, right: Operand, node: ast.expr) -> Array:
    """Comparison of two columns."""
    a, b = _decoded(left), _decoded(right)
    if isinstance(a, Plain) and isinstance(b, Plain):
        found = op(a.values, b.values)
        marks = [v.gone for v in (a, b) if v.gone is not None]
        return _with_missing(op, found, np.logical_or.reduce(marks) if marks else None)
    try:
        if isinstance(a, Times) and isinstance(b, Times):
            return np.asarray(op(a.array, b.array), dtype=bool)
        if isinstance(a, Objects) and isinstance(b, Objects):
            there = ~(a.missing() | b.missing())
            found = np.full(len(there), op is operator.ne)
            found[there] = op(a.cells[there], b.cells[there])
            return found
    except (TypeError, ValueError) as error:
        raise InvalidOperation(node, f"These columns cannot be compared by {_SIGNS[op]}: {error}.") from error
    raise InvalidOperation(node, f"This compares {left.what} with {right.what}. Convert one of the columns first.")


def _decoded(value: Operand) -> Plain | Objects | Times:
    if not isinstance(value, Coded):
        return value
    gone = value.codes < 0
    levels = value.levels
    if isinstance(levels, Plain) and len(levels.values):
        marks = gone if levels.gone is None else gone | levels.gone.take(value.codes)
        return Plain(levels.values.take(value.codes), marks)
    if isinstance(levels, Times):
        return Times(levels.array.take(value.codes, allow_fill=True))
    cells = (
        np.append(levels.cells, np.array([None], dtype=object))
        if isinstance(levels, Objects)
        else np.array([None], dtype=object)
    )
    return Objects(cells.take(value.codes))


def _search(name: str, value: Operand, wanted: str, node: ast.expr) -> Array:
    """Mask of the texts that start with, end with or contain `wanted`; missing values do not."""
    if isinstance(value, Coded) and isinstance(value.levels, Objects):
        return value.take(_search(name, value.levels, wanted, node), False)
    if not isinstance(value, Objects):
        raise InvalidOperation(node, f"{name} looks into text, but this column holds {value.what}.")
    tests: dict[str, Callable[[str], bool]] = {
        "startswith": lambda v: v.startswith(wanted),
        "endswith": lambda v: v.endswith(wanted),
        "contains": lambda v: wanted in v,
    }
    test = tests[name]
    return value.over_levels(lambda v: isinstance(v, str) and test(v), False)


def _scalar_arithmetic(op: type, a: Any, b: Any, node: ast.expr) -> Any:
    try:
        found = _ARITHMETIC[op](a, b)
    except (ZeroDivisionError, OverflowError) as error:
        raise InvalidOperation(node, f"This cannot be computed: {error}.") from error
    if isinstance(found, complex):
        raise InvalidOperation(node, "This is not a real number.")
    return _bounded(found, None)


def _time_arithmetic(op: type, left: Any, right: Any, node: ast.expr) -> Times:
    sides = [side.array if isinstance(side, Times) else side for side in (left, right)]
    try:
        sides = [pd.Timedelta(side) if isinstance(side, str) else side for side in sides]
        if any(isinstance(side, Operand | int | float) for side in sides):
            raise TypeError("only durations such as '1 days' can be added to times")
        return Times(_ARITHMETIC[op](*sides))
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidOperation(node, f"These times cannot be computed with: {error}.") from error
