"""The language of named cohorts: a safe subset of what `DataFrame.query` understands, checked against an allow-list of syntax.

Nothing is ever handed to `eval`, `DataFrame.eval` or `DataFrame.query`. The grammar:

- comparisons ``== != < <= > >=``, also chained (``30 <= age < 50``), and ``in`` / ``not in`` with a list of literals;
- ``and``, ``or``, ``not``, and as in pandas ``&``, ``|`` (which bind like ``and``, ``or``) and ``~``;
- arithmetic ``+ - * / // % **`` of numbers (and differences of times), exponents being literals of at most 16;
- ``isna(x)``, ``notna(x)`` (or ``isnull``, ``notnull``), ``startswith(x, "…")``, ``endswith(x, "…")``, ``contains(x, "…")`` (plain text, not a regular
  expression), also as methods (``x.contains("…")``); ``len(x)`` (also ``x.str.len()``), the number of characters of a text;
- numbers, text, True, False (and None inside lists); columns by name, in backticks where the name is not a plain word
  (a backtick within is doubled); a Boolean column is a condition.

Missing values behave alike for every dtype, as NaN does in pandas: a comparison with a missing value is False, except ``!=``,
which is True; a missing truth value counts as False. So nullable and plain columns select the same rows.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from dfevals.columns.codes import Array, as_blocks, spans
from dfevals.exceptions import ExpressionError, did_you_mean
from dfevals.expressions.grammar import fail, read
from dfevals.expressions.operands import load
from dfevals.expressions.values import Evaluator, InvalidOperation

__all__ = ["Block", "Expression", "Rows", "parse"]


def parse(text: str) -> Expression:
    """Read an expression and check it against the grammar.

    Parameters
    ----------
    text : str
        For example ``sex == 'Female' and 30 <= age < 50``.

    Returns
    -------
    Expression

    Raises
    ------
    ExpressionError
        With a caret under the place, what is wrong there, and what is allowed.

    Examples
    --------
    >>> frame = pd.DataFrame({"age": [20, 35, None], "job title": ["clerk", None, "clerk"]})
    >>> parse("age < 30 or `job title` == 'clerk'").mask(frame).tolist()
    [True, False, True]
    """
    tree, columns = read(text)
    return Expression(text, columns, tree)


@dataclass(frozen=True)
class Expression:
    """A checked expression. `columns` are the names it uses; two expressions are equal if their texts are."""

    text: str
    columns: tuple[str, ...]
    tree: ast.expr = field(repr=False, compare=False)

    def mask(self, frame: pd.DataFrame) -> Array:
        """Boolean array of the rows of `frame` for which the expression holds, shape (n_rows,).

        Raises
        ------
        ExpressionError
            When a column is missing, or values cannot be compared (text with numbers).
        """
        rows = Rows(frame, [self])
        out = np.empty(len(frame), dtype=bool)
        for a, b in spans(len(frame)):
            out[a:b] = self.evaluate(rows.block(a, b))
        return out

    def evaluate(self, block: Block) -> Array:
        """Boolean array of the rows of one block."""
        try:
            return Evaluator(block.column, block.n_rows).truth(self.tree)
        except InvalidOperation as error:
            fail(self.text, error.node.col_offset, str(error), error.node.end_col_offset)

    def locate(self, frame: pd.DataFrame) -> dict[str, Any]:
        """The frame's column label of each name used."""
        if isinstance(frame.columns, pd.MultiIndex):
            raise ExpressionError("The frame's columns are a MultiIndex; expressions need plain column names.")
        found: dict[str, Any] = {}
        for name in self.columns:
            same = [c for c in frame.columns if c == name] or [c for c in frame.columns if str(c) == name]
            if len(same) == 1:
                found[name] = same[0]
                continue
            node = next(n for n in ast.walk(self.tree) if isinstance(n, ast.Name) and n.id == name)
            if same:
                message = f"The frame has {len(same)} columns named {name!r}; rename them so that one is meant."
            else:
                message = f"There is no column {name!r}. {did_you_mean(name, frame.columns, noun='Columns')}"
            fail(self.text, node.col_offset, message, node.end_col_offset)
        return found


class Rows:
    """The columns that some expressions use, ready to be read block by block."""

    def __init__(self, frame: pd.DataFrame, expressions: Sequence[Expression]) -> None:
        labels = {name: label for e in expressions for name, label in e.locate(frame).items()}
        self._arrays = {name: as_blocks(frame[label]) for name, label in labels.items()}

    def block(self, a: int, b: int) -> Block:
        """Rows from `a` to `b`."""
        return Block(self._arrays, a, b)


class Block:
    """A run of rows; each column is prepared once, however many expressions use it."""

    def __init__(self, arrays: dict[str, Any], a: int, b: int) -> None:
        self._arrays, self._a, self._b = arrays, a, b
        self._loaded: dict[str, Any] = {}
        self.n_rows = b - a

    def column(self, name: str) -> Any:
        """The column's values in this block as an operand."""
        if name not in self._loaded:
            self._loaded[name] = load(self._arrays[name][self._a : self._b])
        return self._loaded[name]
