"""Patterns of JSON Schema (ECMA-262 with Unicode) as Python's `re` reads them; imports nothing of dfevals.

In ECMA-262 `$` is the end of the text and not also the place before a last line break, `\\d` and `\\w` are ASCII, `.` stops at
every line end, `\\p{L}` is a category of Unicode and `(?<name>…)` a named group. Python's own spellings go on working.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from collections.abc import Iterable

__all__ = ["UnsupportedPattern", "compiled", "python_pattern"]

_Ranges = tuple[tuple[int, int], ...]
_LAST = sys.maxunicode
_SPACES: _Ranges = (
    (9, 13), (32, 32), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F),
    (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF),
)  # fmt: skip
_SETS: dict[str, _Ranges] = {"d": ((48, 57),), "w": ((48, 57), (65, 90), (95, 95), (97, 122)), "s": _SPACES}
_LINE_ENDS: _Ranges = ((10, 10), (13, 13), (0x2028, 0x2029))
_QUANTIFIER = re.compile(r"\{[0-9]+(?:,[0-9]*)?\}")
_CODE = re.compile(
    r"u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|u\{(?P<any>[0-9a-fA-F]{1,8})\}|u(?P<four>[0-9a-fA-F]{4})|x(?P<two>[0-9a-fA-F]{2})|c(?P<control>[A-Za-z])|(?P<zero>0)(?![0-9])"
)
_PROPERTY = re.compile(r"[pP]\{(?:(?:General_Category|gc)=)?([A-Za-z_=]+)\}")
_CONTROLS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_LONG_NAMES = {
    "Letter": "L", "Cased_Letter": "LC", "Uppercase_Letter": "Lu", "Lowercase_Letter": "Ll", "Titlecase_Letter": "Lt",
    "Modifier_Letter": "Lm", "Other_Letter": "Lo", "Mark": "M", "Combining_Mark": "M", "Nonspacing_Mark": "Mn",
    "Spacing_Mark": "Mc", "Enclosing_Mark": "Me", "Number": "N", "Decimal_Number": "Nd", "digit": "Nd",
    "Letter_Number": "Nl", "Other_Number": "No", "Punctuation": "P", "punct": "P", "Connector_Punctuation": "Pc",
    "Dash_Punctuation": "Pd", "Open_Punctuation": "Ps", "Close_Punctuation": "Pe", "Initial_Punctuation": "Pi",
    "Final_Punctuation": "Pf", "Other_Punctuation": "Po", "Symbol": "S", "Math_Symbol": "Sm", "Currency_Symbol": "Sc",
    "Modifier_Symbol": "Sk", "Other_Symbol": "So", "Separator": "Z", "Space_Separator": "Zs", "Line_Separator": "Zl",
    "Paragraph_Separator": "Zp", "Other": "C", "Control": "Cc", "cntrl": "Cc", "Format": "Cf", "Surrogate": "Cs",
    "Private_Use": "Co", "Unassigned": "Cn",
}  # fmt: skip


class UnsupportedPattern(re.error):
    """A pattern that is valid in ECMA-262 and cannot be checked here."""


@functools.lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    r"""The pattern, compiled.

    Examples
    --------
    >>> [bool(compiled("^(?<word>yes|no)$").search(text)) for text in ("yes", "yes\n")]
    [True, False]
    """
    try:
        return re.compile(python_pattern(pattern))
    except re.error as error:
        if "look-behind" in str(error):
            raise UnsupportedPattern(
                f"a look-behind of no fixed length in {pattern!r} cannot be checked here"
            ) from None
        raise


@functools.lru_cache(maxsize=512)
def python_pattern(pattern: str) -> str:
    r"""The same pattern in Python's spelling.

    Raises
    ------
    re.error
        When an escape or a class is not valid; `UnsupportedPattern` when it is valid, and not known here.

    Examples
    --------
    >>> print(python_pattern(r"^[\d-]+/(?<n>a{,2})$"))
    ^[0-9\-]+/(?P<n>a\{,2\})\Z
    """
    out: list[str] = []
    at = 0
    while at < len(pattern):
        part, at = _next_part(pattern, at)
        out.append(part)
    return "".join(out)


def _next_part(pattern: str, at: int) -> tuple[str, int]:
    """The next part in Python's spelling, and the place behind it."""
    char = pattern[at]
    if char == "\\":
        return _escaped(pattern, at + 1)
    if char == "[":
        return _character_class(pattern, at + 1)
    if char == "(" and pattern.startswith("(?<", at) and pattern[at + 3 : at + 4] not in ("=", "!"):
        return "(?P<", at + 3
    if char == "{":
        quantifier = _QUANTIFIER.match(pattern, at)
        return (quantifier[0], quantifier.end()) if quantifier else (r"\{", at + 1)
    if char == ".":
        return _class_of(_LINE_ENDS, negated=True), at + 1
    return {"$": r"\Z", "}": r"\}", "]": r"\]"}.get(char, char), at + 1


def _escaped(pattern: str, at: int) -> tuple[str, int]:
    """What stands behind a backslash, outside of a class."""
    char = pattern[at : at + 1]
    if char in ("b", "B"):
        return r"(?a:\b)" if char == "b" else r"(?!(?a:\b))", at + 1  # words are ASCII; Python's \B misses empty texts
    if char == "k" and (name := re.compile(r"k<([^>]+)>").match(pattern, at)):
        return f"(?P={name[1]})", name.end()
    if char in ("A", "Z") or (char and char in "123456789"):
        return f"\\{char}", at + 1
    found, end = _set_or_character(pattern, at)
    return (_letter(found) if isinstance(found, int) else _class_of(found)), end


def _set_or_character(pattern: str, at: int) -> tuple[int | _Ranges, int]:
    """The set or the character that is escaped, and the place behind it."""
    char = pattern[at : at + 1]
    if char.lower() in _SETS and char:
        ranges = _SETS[char.lower()]
        return (ranges if char.islower() else _complement(ranges)), at + 1
    if known := _PROPERTY.match(pattern, at):
        ranges = _category(known[1])
        return (ranges if char == "p" else _complement(ranges)), known.end()
    if code := _CODE.match(pattern, at):
        return _code_point(code), code.end()
    if char in _CONTROLS:
        return _CONTROLS[char], at + 1
    if not char or char.isalnum():
        raise re.error(f"bad escape \\{char}", pattern, at)
    return ord(char), at + 1


def _code_point(code: re.Match[str]) -> int:
    if code["high"]:
        return 0x10000 + ((int(code["high"], 16) - 0xD800) << 10) + int(code["low"], 16) - 0xDC00
    if code["control"]:
        return ord(code["control"]) % 32
    found = int(code["any"] or code["four"] or code["two"] or "0", 16)
    if found > _LAST:
        raise re.error(f"no character has the number {found:x}", code.string, code.start())
    return found


def _character_class(pattern: str, at: int) -> tuple[str, int]:
    """A class such as [a-z\\d], read item by item: a range stands between two characters, never beside a set."""
    negated = pattern.startswith("^", at)
    at += negated
    items: list[tuple[int, int]] = []
    while not pattern.startswith("]", at):
        low, at = _class_item(pattern, at)
        if isinstance(low, int) and pattern.startswith("-", at) and pattern[at + 1 : at + 2] not in ("]", ""):
            high, end = _class_item(pattern, at + 1)
            if isinstance(high, int):
                if high < low:
                    raise re.error("bad character range", pattern, at)
                items.append((low, high))
                at = end
                continue
        items += [(low, low)] if isinstance(low, int) else low
    return _class_of(tuple(items), negated), at + 1


def _class_item(pattern: str, at: int) -> tuple[int | _Ranges, int]:
    if at >= len(pattern):
        raise re.error("unterminated character set", pattern, at)
    if pattern.startswith(r"\b", at):
        return 8, at + 2
    return _set_or_character(pattern, at + 1) if pattern[at] == "\\" else (ord(pattern[at]), at + 1)


def _class_of(ranges: _Ranges, negated: bool = False) -> str:
    if not ranges:
        return r"[\s\S]" if negated else "(?!)"
    inner = "".join(_letter(low) if low == high else f"{_letter(low)}-{_letter(high)}" for low, high in ranges)
    return f"[{'^' if negated else ''}{inner}]"


def _letter(code: int) -> str:
    """A character as it may stand in a class and outside."""
    if code < 128:
        char = chr(code)
        return char if char.isalnum() else f"\\{char}" if char in "-^]\\/." else f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _complement(ranges: _Ranges) -> _Ranges:
    """Every other character; the ranges are in order."""
    edges = [-1, *(edge for low, high in ranges for edge in (low - 1, high)), _LAST]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return tuple((before + 1, after) for before, after in pairs if before < after)


@functools.lru_cache(maxsize=64)
def _category(name: str) -> _Ranges:
    """The characters of a general category of Unicode, such as L, Lu or Letter."""
    if name == "Any":
        return ((0, _LAST),)
    if name == "ASCII":
        return ((0, 127),)
    if name == "Assigned":
        return _complement(_category("Cn"))
    short = _LONG_NAMES.get(name, name)
    if short not in set(_LONG_NAMES.values()):
        raise UnsupportedPattern(rf"\p{{{name}}} cannot be checked here, only categories such as \p{{L}}")
    wanted = {"Lu", "Ll", "Lt"} if short == "LC" else None
    return _joined(
        code
        for code in range(_LAST + 1)
        if (unicodedata.category(chr(code)) in wanted if wanted else unicodedata.category(chr(code)).startswith(short))
    )


def _joined(codes: Iterable[int]) -> _Ranges:
    found: list[list[int]] = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return tuple((low, high) for low, high in found)
