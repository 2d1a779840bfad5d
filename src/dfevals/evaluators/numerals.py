"""The numbers in a text, as people, languages and LaTeX write them."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

__all__ = ["Numeral", "numbers_in", "numerals"]


class Numeral(NamedTuple):
    """A number in a text: its value, and the same without the percent sign (50 for "50 %")."""

    value: float
    written: float


class _Plain(dict[int, str]):
    """Characters of other scripts that mean a digit, a sign or a mark, as ASCII."""

    def __missing__(self, code: int) -> str:
        digit = unicodedata.decimal(chr(code), None)
        wide = 0xFF01 <= code <= 0xFF5E
        self[code] = chr(code - 0xFEE0) if wide else chr(code) if digit is None else str(digit)
        return self[code]


_PLAIN = _Plain(
    {ord(char): "-" for char in "\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d"}
    | {ord(char): "/" for char in "\u2044\u2215"}
    | {ord(char): "%" for char in "\u066a\ufe6a"}
)
_COMMA, _POINT = {ord(","): ".", ord("."): ","}, {ord("\u066b"): ".", ord("\u066c"): ","}

# LaTeX: \frac{3}{4}, 9{,}500, 9\,500, \$5, 5\%
_FRACTION = re.compile(
    r"\\[dtc]?frac\s*(?:\{\s*(?P<top>[-+]?[\d.,]+)\s*\}|(?P<one>\d))\s*(?:\{\s*(?P<bottom>[\d.,]+)\s*\}|(?P<other>\d))"
)
_SPACE = re.compile(r"(?<=\d)(?:\\[,;: ]|~)(?=\d{3})")
_ESCAPED = re.compile(r"\\(?=[$%])|(?<=,)\\!(?=\d)")
_VULGAR = re.compile("[\u00bc-\u00be\u2150-\u215e\u2189]")
_RAISED = re.compile("(?<=10)[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3}")

# Letters that have cases: after one of them, and after the digits of a version, a digit is part of a name. Scripts
# without cases write numbers without a space before them.
_NAME = r"A-Za-zªµº\u00c0-\u058f\u10a0-\u10ff\u1e00-\u1fff\u2c00-\u2dff\ua640-\ua7ff"
_CODES = (
    "USD|EUR|GBP|JPY|CNY|RMB|INR|CHF|CAD|AUD|NZD|HKD|SGD|TWD|KRW|BRL|MXN|SEK|NOK|DKK|PLN|CZK|HUF|RON|RUB|UAH|TRY|ZAR|"
    "THB|IDR|MYR|PHP|VND|ILS|AED|SAR|EGP|NGN|KES|PKR|BDT|LKR|ARS|CLP|COP|PEN|BTC|ETH"
)
_CURRENCY = rf"(?:(?:[A-Z]{{1,2}})?[$£¥฿\u20a0-\u20cf\uffe0-\uffe6]|{_CODES}|[Rr]s\.?|[Kk]r\.?|Fr\.)[ \u00a0\u202f]?"
_MARK = "[,_\u00a0\u2009\u202f'\u2019]"
_POWER = (
    r"(?:(?<=10)(?<![\d.]10)(?:\^|\*\*)[{(]?(?P<ten>[-+]?\d{1,3})[})]?|[eE](?P<e>[-+]?\d{1,3})"
    r"|\s?(?:[x×·*]|\\times|\\cdot)\s?10\s?(?:\^|\*\*)\s?[{(]?(?P<power>[-+]?\d{1,3})[})]?)"
)
_PERCENT = (
    r"\s?(?:%|‰|(?i:per ?cent|pct|prozent|procent|pour ?cent|por cien(?:to)?|por cento|per cento)\b"
    r"|процент|パーセント|퍼센트)"
)
_NUMBER = re.compile(
    rf"(?<![{_NAME}\d_])(?<!\d\.)(?P<date>(?<=\d/))?(?:(?<!\d\w)(?P<sign>[-+]))?(?:{_CURRENCY}(?P<inner>[-+])?)?(?P<before>%|百分之)?"
    r"(?:(?P<whole>\d{1,6}) (?=\d{1,3}/))?"
    r"(?P<number>\d{1,2}(?:,\d{2}){1,6},\d{3}(?!\d)(?:\.\d+)?"  # 12,34,567 as in India
    r"|\d{1,3}(?:\.\d{3}){2,}(?![\d.])"  # 1.234.567, which is no decimal
    rf"|\d{{1,3}}(?P<mark>{_MARK})\d{{3}}(?:(?P=mark)\d{{3}})*(?!\d)(?:\.\d+)?"
    rf"|\d+(?:\.\d+)?|(?<![{_NAME}\d_.])\.\d+)"
    rf"{_POWER}?(?(date)|(?:\s*/\s*(?P<bottom>[1-9]\d*(?:\.\d+)?)(?!\d|[.,/]\d))?)(?P<percent>{_PERCENT})?"
)
_MARKS = {ord(mark): None for mark in ",_\u00a0\u2009\u202f'\u2019"}


def numbers_in(value: str, *, decimal: str = ".") -> list[float]:
    """The numbers in a text.

    Read are signs and currencies before and behind, thousands marks, exponents, powers of ten, fractions (3/4, 1½,
    `\\frac{3}{4}`), percent, digits of any script, and numbers without a space before them where a script has none.

    Examples
    --------
    >>> numbers_in("from 1,250.50 to 3/4, that is -5 %, or 3.2 × 10⁻⁴")
    [1250.5, 0.75, -0.05, 0.00032]
    >>> numbers_in("-$5, USD1,500, 合計は１，２３４円です")
    [-5.0, 1500.0, 1234.0]
    """
    return [found.value for found in numerals(value, decimal)]


def numerals(value: str, decimal: str = ".") -> list[Numeral]:
    """Every number in a text, in order; `decimal` is the mark of decimals."""
    return [_numeral(match) for match in _NUMBER.finditer(_plain(value, decimal))]


def _plain(value: str, decimal: str) -> str:
    """The text with one way of writing for each sign, mark and fraction."""
    if "\\" in value or "{,}" in value or "~" in value:
        value = _SPACE.sub("\u2009", _ESCAPED.sub("", value.replace("{,}", ",")))
        value = _FRACTION.sub(_of_latex, value.translate(_PLAIN))
    if not value.isascii():
        value = _RAISED.sub(lambda match: "^" + _ascii(match.group()), value)
        value = _VULGAR.sub(lambda match: _beside(match, _ascii(match.group())), value).translate(_PLAIN)
    return (value.translate(_COMMA) if decimal == "," else value).translate(_POINT)


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKC", text).translate(_PLAIN)


def _of_latex(match: re.Match[str]) -> str:
    return _beside(match, f"{match['top'] or match['one']}/{match['bottom'] or match['other']}")


def _beside(match: re.Match[str], fraction: str) -> str:
    """A fraction apart from the whole number, or the letter, before it."""
    before = match.string[max(match.start() - 1, 0) : match.start()]
    return f" {fraction}" if before.isalnum() else fraction


def _numeral(match: re.Match[str]) -> Numeral:
    digits = "1" if match["ten"] else match["number"].translate(_MARKS)
    digits = digits.replace(".", "") if digits.count(".") > 1 else digits
    found = float(digits + "e" + (match["ten"] or match["e"] or match["power"] or "0"))
    if match["bottom"]:
        found = float(match["whole"] or 0) + found / float(match["bottom"])
    found = -found if "-" in (match["sign"], match["inner"]) else found
    percent = match["percent"] or match["before"]
    return Numeral(found / (1000 if "‰" in percent else 100) if percent else found, found)
