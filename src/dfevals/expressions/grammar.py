"""Grammar of expressions: which characters, words and constructs are allowed, and errors that point at the place."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from dfevals.exceptions import ExpressionError, did_you_mean

__all__ = ["fail", "read"]

MAX_LENGTH = 10_000
MAX_DEPTH = 60
MAX_EXPONENT = 16
ALLOWED = "Allowed: comparisons, and/or/not, in, arithmetic, isna(x), len(x), startswith(x, '…'), contains(x, '…')."
FUNCTIONS = {"len": 1, "isna": 1, "notna": 1, "isnull": 1, "notnull": 1, "startswith": 2, "endswith": 2, "contains": 2}

_WORD = re.compile(r"[^\W\d]\w*")
_NUMBER = re.compile(r"(\d[\d_]*(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_OPERATOR = re.compile(r"\*\*|//|==|!=|<=|>=|[-+*/%<>()\[\],.~&|]")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_KEYWORDS = {"and", "or", "not", "in", "True", "False", "None"}
_REFUSED = {
    "=": "Compare with ==.",
    "@": "Local variables are not available; write the value itself.",
    "{": "Write a list as ['a', 'b'].",
    "!": "Negate with not, compare with !=.",
    "is": "Write isna(x) or not isna(x) to ask for missing values.",
    "if": "Combine conditions with and, or, not.",
    "else": "Combine conditions with and, or, not.",
}


def read(text: str) -> tuple[ast.expr, tuple[str, ...]]:
    """Checked syntax tree of an expression (places refer to `text`), and the names of columns that it uses."""
    if not isinstance(text, str):
        raise ExpressionError(f"An expression must be text, got {type(text).__name__}.")
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"The expression has {len(text):,} characters, more than {MAX_LENGTH:,}.")
    if not text.strip():
        raise ExpressionError(f"The expression is empty. {ALLOWED}")
    source, origin, names = _translate(text)
    if re.search(r"([-+*/%<>=.(\[,]|\b(and|or|not|in))\s*$", source):
        fail(text, len(text.rstrip()), "The expression ends too early; something must follow.")
    try:
        tree = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        place = min(max((error.offset or 1) - 1, 0), len(origin) - 1)
        fail(text, origin[place], f"The expression is not complete or not well formed here ({error.msg}).")
    except (ValueError, MemoryError, RecursionError, OverflowError) as error:
        raise ExpressionError(f"The expression is too complicated to read ({type(error).__name__}).") from None
    _place(tree, text, origin, names)
    columns: dict[str, None] = {}
    _check(tree, text, columns)
    return tree, tuple(columns)


def fail(text: str, start: int, message: str, end: int | None = None) -> NoReturn:
    """Raise an ExpressionError that shows the place."""
    shown = re.sub(r"[\s\x00-\x1f\x7f]", " ", text)
    length = max(1, min(end or start + 1, len(text)) - start)
    if len(shown) > 100:
        left = max(0, start - 40)
        shown = ("…" if left else "") + shown[left : left + 90] + ("…" if left + 90 < len(shown) else "")
        start = start - left + (1 if left else 0)
    caret = " " * start + "^" * max(1, min(length, len(shown) - start))
    raise ExpressionError(f"{message}\n  {shown}\n  {caret}")


def _translate(text: str) -> tuple[str, list[int], list[str]]:
    """Source that Python can parse, where each of its characters comes from, and the words that placeholders stand for.

    Every word becomes a placeholder (so that odd names in backticks and Unicode names pass unchanged), and every text literal
    is written afresh in ASCII, so that no syntax but the characters allowed here ever reaches the parser.
    """
    source: list[str] = []
    origin: list[int] = []
    names: list[str] = []
    depth = prefixes = powers = 0
    for start, kind, token in _tokens(text):
        operand = kind in ("name", "text", "number") or token in (")", "]", "True", "False", "None")
        prefixes = 0 if operand else prefixes + (token in ("not", "-", "+", "~"))
        depth += (token in ("(", "[")) - (token in (")", "]")) if kind == "operator" else 0
        powers += kind == "operator" and token == "**"
        if max(depth, prefixes, powers) > MAX_DEPTH:
            fail(text, start, "The expression is nested too deeply here.")
        if kind == "name":
            piece = f"n{len(names)}"
            names.append(token)
        elif kind == "text":
            piece = ascii(token)
        else:
            piece = {"&": "and", "|": "or"}.get(token, token)
        piece = piece if kind == "operator" and token not in "&|" else f" {piece} "
        source.append(piece)
        origin.extend([start] * len(piece))
    joined = "".join(source)
    skipped = len(joined) - len(joined.lstrip())
    return joined.lstrip(), [*origin[skipped:], len(text)], names


def _tokens(text: str) -> Iterator[tuple[int, str, str]]:
    """Place, kind (name, word, text, number, operator) and content of each token; anything else is refused."""
    i = 0
    previous = ""
    while i < len(text):
        char = text[i]
        if char.isspace():
            i += 1
            continue
        if char in "'\"":
            if previous == "text":
                fail(text, i, "Two texts stand side by side; put a comma or an operator between them.")
            end = _closing(text, i)
            previous, token = "text", _ESCAPE.sub(_unescape, text[i + 1 : end])
        elif char == "`":
            end = _closing(text, i)
            previous, token = "name", text[i + 1 : end].replace("``", "`")
        elif match := _NUMBER.match(text, i):
            end = match.end() - 1
            previous, token = "number", match[0]
            if text[end + 1 : end + 2].isalnum() or len(token) > 300:
                fail(
                    text,
                    i,
                    "This is not a number that can be read; columns whose names begin with a digit need backticks.",
                )
        elif match := _WORD.match(text, i):
            end = match.end() - 1
            token = match[0]
            previous = "word" if token in _KEYWORDS else "name"
            _refuse_word(text, i, token)
        elif (match := _OPERATOR.match(text, i)) and not (char in "&|" and text[i + 1 : i + 2] == char):
            end = match.end() - 1
            previous, token = "operator", match[0]
        else:
            hint = "Write and, or." if char in "&|" else _REFUSED.get(char, ALLOWED)
            fail(text, i, f"{char!r} is not allowed in an expression. {hint}")
        yield i, previous, token
        i = end + 1


def _refuse_word(text: str, start: int, word: str) -> None:
    if text[start + len(word) : start + len(word) + 1] in ("'", '"'):
        fail(text, start, f"Text must be plain, without the prefix {word}.")
    if keyword.iskeyword(word) and word not in _KEYWORDS:
        hint = _REFUSED.get(word, f"A column of that name is written `{word}`. {ALLOWED}")
        fail(text, start, f"{word!r} is not allowed in an expression. {hint}", start + len(word))


def _closing(text: str, start: int) -> int:
    """Place of the quote that closes the one at `start`."""
    quote, i = text[start], start + 1
    while i < len(text):
        if quote != "`" and text[i] == "\\":
            i += 2
        elif text[i] != quote:
            i += 1
        elif quote == "`" and text[i + 1 : i + 2] == "`":
            i += 2
        else:
            return i
    what = "column name in backticks" if quote == "`" else "text"
    fail(text, start, f"The {what} that begins here is not closed.")


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) > 1:
        number = int(code[1:], 16)
        return chr(number) if number < 0x110000 else match[0]
    return {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "\n": ""}.get(code, match[0])


def _place(tree: ast.expr, text: str, origin: list[int], names: list[str]) -> None:
    """Give all nodes their places in the text as written and the words that placeholders stand for."""
    level: list[ast.AST] = [tree]
    depth = 0
    while level:
        depth += 1
        for node in level:
            if isinstance(node, ast.expr):
                end = (node.end_col_offset or node.col_offset + 1) - 1
                node.col_offset, last = origin[node.col_offset], origin[end]
                word = re.compile(r"`(``|[^`])*`|\w+|.").match(text, last)
                node.end_col_offset = word.end() if word else last + 1
                if depth > MAX_DEPTH * 2:
                    fail(text, node.col_offset, "The expression is nested too deeply here.")
            if isinstance(node, ast.Name):
                node.id = names[int(node.id[1:])]
            elif isinstance(node, ast.Attribute):
                node.attr = names[int(node.attr[1:])]
        level = [child for node in level for child in ast.iter_child_nodes(node)]


_BINARY = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_COMPARE = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn)


def _check(node: ast.expr, text: str, columns: dict[str, None]) -> None:
    """Refuse everything that is not in the grammar; collect the names of columns."""

    def refuse(what: str, place: ast.expr = node) -> NoReturn:
        fail(text, place.col_offset, what, place.end_col_offset)

    children: Sequence[ast.expr] = ()
    match node:
        case ast.Name(id=name):
            columns[name] = None
        case ast.Constant():
            pass
        case ast.BoolOp(values=values):
            children = values
        case ast.UnaryOp(operand=operand):
            children = [operand]
        case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _BINARY):
            if isinstance(op, ast.Pow):
                _check_exponent(right, refuse)
            children = [left, right]
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            for sign, right in zip(ops, comparators, strict=True):
                _check_members(sign, right, refuse)
            children = [left, *(c for c in comparators if not isinstance(c, (ast.List, ast.Tuple)))]
        case ast.Call():
            children = [_check_call(node, refuse)]
        case ast.Attribute(attr=attr):
            refuse(f"Attributes such as .{attr} are not allowed. {ALLOWED}")
        case ast.List() | ast.Tuple():
            refuse("A list may only stand to the right of in or not in.")
        case _:
            refuse(f"{type(node).__name__} is not allowed in an expression. {ALLOWED}")
    for child in children:
        _check(child, text, columns)


def _check_exponent(node: ast.expr, refuse: Any) -> None:
    inner = node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)) else node
    number = inner.value if isinstance(inner, ast.Constant) else None
    if isinstance(number, bool) or not isinstance(number, (int, float)) or number > MAX_EXPONENT:
        refuse(f"An exponent must be a number of at most {MAX_EXPONENT}, such as ** 2.", node)


def _check_members(op: ast.cmpop, right: ast.expr, refuse: Any) -> None:
    is_list = isinstance(right, (ast.List, ast.Tuple))
    if not isinstance(op, _COMPARE) or (not is_list and isinstance(op, (ast.In, ast.NotIn))):
        refuse(
            "The right side of in must be a list such as ['a', 'b']; for text within text use contains(x, 'a').", right
        )
    if is_list and not isinstance(op, (ast.In, ast.NotIn)):
        refuse("Compare with a list by in or not in.", right)
    for item in right.elts if isinstance(right, (ast.List, ast.Tuple)) else ():
        inner = item.operand if isinstance(item, ast.UnaryOp) and isinstance(item.op, (ast.USub, ast.UAdd)) else item
        if not isinstance(inner, ast.Constant) or (inner is not item and isinstance(inner.value, (str, type(None)))):
            refuse("Lists may hold only numbers, text, True, False and None.", item)


def _check_call(node: ast.Call, refuse: Any) -> ast.expr:
    """Check a call's function and literals; return the expression that it is about."""
    if isinstance(node.func, ast.Name):
        name, subject, rest = node.func.id, node.args[:1], node.args[1:]
    elif isinstance(node.func, ast.Attribute):
        name, subject, rest = node.func.attr, [node.func.value], list(node.args)
        inner = subject[0]
        if isinstance(inner, ast.Attribute) and inner.attr == "str":  # pandas' spelling
            subject = [inner.value]
            wanted = rest[0].value if rest and isinstance(rest[0], ast.Constant) else ""
            if name == "contains" and re.search(r"[.^$*+?{}\[\]\\|()]", str(wanted)):
                refuse("Regular expressions are not available; contains(x, '…') looks for plain text.", rest[0])
    else:
        refuse(f"Only functions may be called. {ALLOWED}")
    if name not in FUNCTIONS:
        refuse(
            f"{name!r} is not a function of expressions. {did_you_mean(name, FUNCTIONS, noun='Functions')}", node.func
        )
    if len(subject) + len(rest) != FUNCTIONS[name] or node.keywords or not subject:
        wanted = "(x)" if FUNCTIONS[name] == 1 else "(x, 'text')"
        refuse(f"{name} is written {name}{wanted}.")
    for item in rest:
        if not (isinstance(item, ast.Constant) and isinstance(item.value, str)):
            refuse(f"{name} looks for text in quotes, such as 'abc'.", item)
    return subject[0]
