"""The text of numbers and names, the same in tables and in charts."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable

__all__ = [
    "bounds",
    "column",
    "compact",
    "count",
    "estimate",
    "interval",
    "number",
    "p_value",
    "percent",
    "places",
    "shorten",
    "shorten_apart",
    "visible",
    "whole_characters",
]

UNDEFINED = "–"
_ROUNDING = 1e-13  # half-width, by the value, that sums of equal numbers have
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = {"\u200c", "\u200d"}


def whole_characters(value: str) -> str:
    """A text that every file and every type of column can hold: halves of surrogate pairs become U+FFFD.

    Examples
    --------
    >>> whole_characters("a\\ud800b") == "a\\ufffdb"
    True
    """
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def visible(text: object) -> str:
    """Text in which control and direction-changing characters can be seen.

    Joiners between non-ASCII characters stay: Persian, Indic scripts and emoji need them.

    Examples
    --------
    >>> visible("safe" + chr(0x202E) + "txt.exe")
    'safe⟨U+202E⟩txt.exe'
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(
        char if not _is_hidden(char) or _joins(text, at) else f"⟨U+{ord(char):04X}⟩" for at, char in enumerate(text)
    )


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char) in _HIDDEN


def _joins(text: str, at: int) -> bool:
    return text[at] in _JOINERS and 0 < at < len(text) - 1 and not (text[at - 1] + text[at + 1]).isascii()


def shorten(text: str, limit: int) -> str:
    """Text of at most `limit` characters; the middle is left out, because names often differ at their ends.

    Examples
    --------
    >>> shorten("income between 30 and 50 thousand", 20)
    'income bet…0 thousand'
    """
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half].rstrip()}…{text[-(limit - half) :].lstrip()}"


def shorten_apart(texts: Iterable[str], limit: int) -> list[str]:
    """Texts of at most `limit` characters in which different texts stay different.

    Where leaving out the middle makes texts alike, the part in which they first differ is kept instead of the end; if
    that does not tell them apart either, they are numbered.

    Examples
    --------
    >>> shorten_apart(["rows of shop 1 in the north-west", "rows of shop 2 in the north-west", "none"], 20)
    ['rows o…shop 1 in t…', 'rows o…shop 2 in t…', 'none']
    """
    full = list(texts)
    short = {text: shorten(text, limit) for text in full}
    alike: dict[str, list[str]] = {}
    for text, cut in short.items():
        alike.setdefault(cut, []).append(text)
    for group in alike.values():
        if len(group) > 1:
            first, last = min(group), max(group)  # what these two share, all share
            at = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
            short |= {text: _around(text, at, limit) for text in group}
    often = Counter(short.values())
    for place, text in enumerate(short, 1):
        if often[short[text]] > 1:
            mark = f" #{place}"
            short[text] = shorten(text, limit - len(mark) - 1) + mark
    return [short[text] for text in full]


def _around(text: str, at: int, limit: int) -> str:
    """The beginning of a long text and what stands around place `at`."""
    if len(text) <= limit:
        return text
    head = limit // 3
    kept = limit - head - 2
    start = max(at - kept // 2, head)
    end = "…" if start + kept < len(text) else ""
    return f"{text[:head].rstrip()}…{text[start : start + kept].strip()}{end}"


def places(value: float, low: float = math.nan, high: float = math.nan) -> int:
    """Decimal places that the uncertainty of `value` justifies: two significant digits of the half-width.

    Without a usable interval, or with one whose width is rounding: four significant digits, at least three places below 1.

    Examples
    --------
    >>> places(0.8123, 0.798, 0.825), places(8123.4, 7980, 8250), places(0.8123)
    (3, 0, 3)
    """
    arms = [abs(end - value) for end in (low, high) if math.isfinite(end - value)]
    half = sum(arms) / len(arms) if arms else 0.0
    if half > _ROUNDING * abs(value):
        return max(0, 1 - int(f"{half:.1e}".split("e")[1]))  # the exponent after rounding: 0.00999… is 0.01
    if value == 0 or not math.isfinite(value):
        return 3
    magnitude = math.floor(math.log10(abs(value)))
    return max(0, 3 - magnitude) if magnitude >= 0 else max(3, 2 - magnitude)


def number(value: float, decimals: int | None = None) -> str:
    """`value` with `decimals` places; scientific where that would be unreadable, "–" where it is NaN.

    Examples
    --------
    >>> number(0.81234), number(0.81234, 1), number(float("nan")), number(1.5e-9), number(3.2e9)
    ('0.812', '0.8', '–', '1.50e-09', '3.200e+09')
    """
    if math.isnan(value):
        return UNDEFINED
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    decimals = places(value) if decimals is None else decimals
    magnitude = math.floor(math.log10(abs(value))) if value else 0
    if value and (decimals > 6 or magnitude >= 7):
        digits = magnitude + decimals if decimals > 0 else 3
        return f"{value:.{min(max(digits, 0), 6)}e}"
    text = f"{value:.{min(decimals, 6)}f}"
    return text.lstrip("-") if float(text) == 0 else text


def column(values: Iterable[float]) -> list[str]:
    """Numbers that stand below each other: whole ones as counts, others with as many places as the greatest deserves.

    A number that would lose all but one of its digits keeps two of them.

    Examples
    --------
    >>> column([4588, 85.4, 11]), column([0.765029, 0.15, 0.000029, math.nan]), column([12000.0, 3.0])
    (['4,588', '85', '11'], ['0.765', '0.150', '0.000029', '–'], ['12,000', '3'])
    """
    numbers = [float(value) for value in values]
    sizes = [abs(value) for value in numbers if math.isfinite(value)]
    most = max(sizes, default=0.0)
    if most > 1 and all(size.is_integer() for size in sizes):
        return [count(value) if math.isfinite(value) else number(value) for value in numbers]
    decimals = places(most)
    return [_in_column(value, decimals) for value in numbers]


def _in_column(value: float, decimals: int) -> str:
    size = abs(value)
    if math.isfinite(value) and 1000 <= size < 1e15:
        return f"{value:,.{decimals}f}"
    if 0 < size < 10 ** (1 - decimals) and decimals > 1:
        decimals = max(decimals, 1 - int(f"{size:.1e}".split("e")[1]))
    return number(value, decimals)


def interval(low: float, high: float, decimals: int) -> str:
    """`[low, high]`, empty where there is no interval.

    Examples
    --------
    >>> interval(0.7981, 0.8252, 3), interval(float("nan"), float("nan"), 3)
    ('[0.798, 0.825]', '')
    """
    if math.isnan(low) and math.isnan(high):
        return ""
    return f"[{number(low, decimals)}, {number(high, decimals)}]"


def estimate(value: float, low: float = math.nan, high: float = math.nan) -> str:
    """A value with its interval, written to its uncertainty.

    Examples
    --------
    >>> estimate(0.81234, 0.7981, 0.8252)
    '0.812 [0.798, 0.825]'
    """
    decimals = places(value, low, high)
    return f"{number(value, decimals)} {interval(low, high, decimals)}".rstrip()


def bounds(level: float | None, kind: str = "intervals") -> str:
    """What is shown beside values: their intervals and the level of these, or none.

    Examples
    --------
    >>> bounds(0.95), bounds(0.975, "bands"), bounds(None)
    ('95% intervals', '97.5% bands', 'no intervals')
    """
    return f"no {kind}" if level is None else f"{100 * level:.12g}% {kind}"


def count(n: float) -> str:
    """A number of rows, or a sum of weights, with thousands separators.

    Examples
    --------
    >>> count(48842), count(12.25), count(float("nan")), count(2e60)
    ('48,842', '12.2', '–', '2.000e+60')
    """
    if not math.isfinite(n) or abs(n) >= 1e15:
        return number(n)
    return f"{n:,.0f}" if float(n).is_integer() or abs(n) >= 1000 else f"{n:,.1f}"


def compact(n: float) -> str:
    """A number of rows in five or six characters, for crowded charts.

    Examples
    --------
    >>> compact(999), compact(1234), compact(48842), compact(2.5e6), compact(2e60)
    ('999', '1.2k', '49k', '2.5M', '2e60')
    """
    if not math.isfinite(n):
        return number(n)
    if abs(n) >= 999.5e9:
        return f"{n:.0e}".replace("e+", "e")
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(n) >= 0.9995 * size:
            scaled = n / size
            return f"{scaled:.1f}{unit}" if abs(scaled) < 9.95 else f"{scaled:.0f}{unit}"
    return f"{n:.0f}"


def percent(share: float) -> str:
    """A share as a percentage that never rounds a rare event to none, or a near-certain one to all.

    Examples
    --------
    >>> percent(0.1234), percent(0.001), percent(0.9999), percent(1.0), percent(0.0)
    ('12%', '<1%', '>99%', '100%', '0%')
    """
    if not math.isfinite(share):
        return number(share)
    if 0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1 else f"{share:.0%}"


def p_value(p: float) -> str:
    """A p-value with two significant digits, "<0.001" below that.

    Examples
    --------
    >>> p_value(0.0341), p_value(0.21), p_value(2e-9), p_value(1.0), p_value(float("nan"))
    ('0.034', '0.21', '<0.001', '1.00', '–')
    """
    if math.isnan(p):
        return UNDEFINED
    if p < 0.001:
        return "<0.001"
    return f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"
