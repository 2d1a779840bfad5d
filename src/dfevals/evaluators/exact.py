"""Agreement with a reference: the same answer, the same words, the same number, a pattern."""

from __future__ import annotations

import functools
import math
import re
import string
import unicodedata
from collections import Counter
from typing import Any, ClassVar, TypeGuard

from dfevals.evaluators.checking import find_pattern, regex_cost
from dfevals.evaluators.protocol import Evaluated, Evaluator, EvaluatorRecord
from dfevals.evaluators.sandbox import run_apart
from dfevals.evaluators.values import is_missing, plain, show, text, texts
from dfevals.exceptions import DataError, check_choice

__all__ = ["ExactMatch", "NumericMatch", "RegexMatch", "TokenF1", "numbers_in", "squad_text"]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = {ord(c): None for c in string.punctuation + "\u2018\u2019\u201c\u201d\u00b4"}
_CHEAP = 1e7


@functools.lru_cache(maxsize=4096)
def squad_text(value: str) -> str:
    """The text without case, punctuation, English articles and surplus spaces (the rule of SQuAD's scorer).

    Examples
    --------
    >>> squad_text("The  Eiffel-Tower!")
    'eiffeltower'
    """
    value = unicodedata.normalize("NFKC", value).lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", value).split())


class ExactMatch(Evaluator):
    """Whether the response is one of the right answers.

    Score 1 or 0. Texts are compared without case, punctuation, English articles and surplus spaces, as in SQuAD;
    `exact=True` compares them as they are.

    Parameters
    ----------
    exact : bool
        Compare texts as they are.
    **common
        `name`, `pass_at` (1), and the columns of the roles `response` and `reference` (a text or a list of them).

    References
    ----------
    Rajpurkar et al. 2016, SQuAD: 100,000+ Questions for Machine Comprehension of Text.
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="exact_match",
        measures="Whether the response equals a reference, up to case, punctuation and articles.",
        roles=("response", "reference"),
        weaknesses="A right answer in other words, or with a word more, is wrong.",
        accuracy="SQuAD's rule; differs from its script only in Unicode (curly quotes count as punctuation, ² as 2).",
        family="reference",
    )

    def __init__(self, *, exact: bool = False, **common: Any) -> None:
        super().__init__(settings={"exact": exact}, **common)
        self.exact = exact

    def _evaluate(self, response: object, reference: object) -> Evaluated:
        given, right = text("response", response), texts("reference", reference)
        if self.exact:
            same = given in right
        else:
            same = squad_text(given) in {squad_text(one) for one in right}
        return Evaluated(float(same), None, "same" if same else f"{show(given)} is not {show(right[0])}")


class TokenF1(Evaluator):
    """Overlap of the words of the response with those of the nearest right answer (F1 of the two bags of words).

    Score in [0, 1]; pass mark 0.5. Words are taken as in SQuAD. Two texts without words score 1, one of them 0.

    References
    ----------
    Rajpurkar et al. 2016, SQuAD: 100,000+ Questions for Machine Comprehension of Text.

    Examples
    --------
    >>> round(TokenF1().evaluate(response="in Paris, France", reference=["Paris", "Lyon"]).score, 2)
    0.5
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="token_f1",
        measures="F1 of the words shared with the nearest reference.",
        roles=("response", "reference"),
        pass_at=0.5,
        weaknesses="Blind to word order, negation and synonyms.",
        accuracy="SQuAD's rule; differs from its script only in Unicode (curly quotes count as punctuation, ² as 2).",
        family="reference",
    )

    def _evaluate(self, response: object, reference: object) -> Evaluated:
        given = Counter(squad_text(text("response", response)).split())
        scores = [(_overlap_f1(given, Counter(squad_text(one).split())), one) for one in texts("reference", reference)]
        score, nearest = max(scores, key=lambda pair: pair[0])
        return Evaluated(score, None, f"nearest reference: {show(nearest)}")


def _overlap_f1(given: Counter[str], right: Counter[str]) -> float:
    if not given or not right:
        return float(given == right)
    same = (given & right).total()
    return 2 * same / (given.total() + right.total())


_SIGN = r"[-+\u2212\u2013]?"
_POWER = r"(?:(?<=\b10)(?:\^|\*\*)[{(]?(?P<ten>[-+\u2212]?\d{1,3})[})]?|[eE](?P<e>[-+\u2212]?\d{1,3})|\s?(?:[x×·*]|\\times|\\cdot)\s?10\s?(?:\^|\*\*)\s?[{(]?(?P<power>[-+\u2212]?\d{1,3})[})]?)"
_NUMBER = re.compile(
    rf"(?<![\w.])(?P<sign>{_SIGN})"
    r"(?:(?P<whole>\d{1,6}) (?=\d{1,3}/))?"
    r"(?P<number>\d{1,3}(?:(?P<mark>[,\u00a0\u2009\u202f'\u2019])\d{3}(?:(?P=mark)\d{3})*)(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
    rf"{_POWER}?"
    r"(?:\s*/\s*(?P<bottom>[1-9]\d*)(?!\d|[.,/]\d))?(?P<percent>\s?%|\s?per ?cent\b)?"
)
_MARKS = {ord(mark): None for mark in ",\u00a0\u2009\u202f'\u2019"}
_MINUS = {0x2212: "-", 0x2013: "-"}
_VULGAR = re.compile("[\u00bc-\u00be\u2150-\u215e]")
_RAISED = re.compile("(?<=10)[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3}")


def numbers_in(value: str, *, decimal: str = ".") -> list[float]:
    """The numbers in a text: thousands marks, exponents, powers of ten, fractions (3/4, 1½) and percent are understood.

    Examples
    --------
    >>> numbers_in("from 1,250.50 to 3/4, that is -5 %, or 3.2 × 10⁻⁴")
    [1250.5, 0.75, -0.05, 0.00032]
    """
    return [number for number, _ in _found(value, decimal)]


def _found(value: str, decimal: str) -> list[tuple[float, bool]]:
    """Every number in a text, and whether it is a percentage."""
    if decimal == ",":
        value = value.translate({ord(","): ".", ord("."): ","})
    value = _RAISED.sub(lambda match: "^" + unicodedata.normalize("NFKC", match.group()), value)
    value = _VULGAR.sub(lambda match: " " + unicodedata.normalize("NFKC", match.group()).replace("\u2044", "/"), value)
    return [(_number(match), match["percent"] is not None) for match in _NUMBER.finditer(value)]


def _number(match: re.Match[str]) -> float:
    digits = "1" if match["ten"] else match["number"].translate(_MARKS)
    found = float(digits + "e" + (match["ten"] or match["e"] or match["power"] or "0").translate(_MINUS))
    if match["bottom"]:
        found = float(match["whole"] or 0) + found / float(match["bottom"])
    found = found / 100 if match["percent"] else found
    return -found if match["sign"].translate(_MINUS) == "-" else found


class NumericMatch(Evaluator):
    """Whether the number in the response is the right one, within a tolerance.

    Score 1 or 0. A response without a number scores 0. "50 %" is .5, and also matches a reference of 50.

    Parameters
    ----------
    rtol, atol : float
        Relative and absolute tolerance.
    which : {"last", "first", "any"}
        Which number of the response counts.
    decimal : {".", ","}
        Mark of decimals; the other one then groups thousands, as spaces that do not break and apostrophes do.
    **common
        `name`, `pass_at` (1), and the columns of the roles `response` and `reference` (a number or a text with one).

    Examples
    --------
    >>> NumericMatch(rtol=0.01).evaluate(response="3 boxes of 334 make 1,002", reference=1000).passed
    True
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="numeric_match",
        measures="Whether the (last) number of the response is right within a tolerance.",
        roles=("response", "reference"),
        weaknesses="Units and words for numbers are not read (2 km is 2, 2 million is 2).",
        accuracy="Exact on the forms that it reads.",
        family="reference",
    )

    version: ClassVar[int] = 2

    def __init__(
        self, *, rtol: float = 1e-6, atol: float = 0.0, which: str = "last", decimal: str = ".", **common: Any
    ) -> None:
        check_choice("decimal", decimal, (".", ","), DataError)
        check_choice("which", which, ("last", "first", "any"), DataError)
        if not (rtol >= 0 and atol >= 0):
            raise DataError(f"rtol={rtol!r} and atol={atol!r} must not be negative.")
        super().__init__(settings={"rtol": rtol, "atol": atol, "which": which, "decimal": decimal}, **common)
        self.rtol, self.atol, self.which, self.decimal = rtol, atol, which, decimal

    def _evaluate(self, response: object, reference: object) -> Evaluated:
        right = self._reference(plain(reference))
        response = plain(response)
        pairs = (
            [(float(response), False)]
            if isinstance(response, int | float) and _is_number(response)
            else self._numbers(text("response", response))
        )
        found = [number for number, _ in pairs]
        percents = [100 * number for number, percent in pairs if percent]
        if not found:
            return Evaluated(0.0, None, "the response has no number")
        chosen = found if self.which == "any" else [found[-1] if self.which == "last" else found[0]]
        also = [p for p in percents if self.which == "any" or math.isclose(p / 100, chosen[0])]
        same = any(math.isclose(value, right, rel_tol=self.rtol, abs_tol=self.atol) for value in (*chosen, *also))
        return Evaluated(float(same), None, f"found {chosen[0]:g}, expected {right:g}")

    def _numbers(self, value: str) -> list[tuple[float, bool]]:
        return _found(value, self.decimal)

    def _reference(self, value: object) -> float:
        if isinstance(value, bool) or is_missing(value):
            raise DataError(f"reference must be a number, found {value!r}.")
        if isinstance(value, int | float):
            return float(value)
        found = numbers_in(text("reference", value), decimal=self.decimal)
        if not found:
            raise DataError(f"reference has no number: {show(value)}.")
        return found[-1]


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and not is_missing(value)


class RegexMatch(Evaluator):
    """Whether the response matches a pattern (or, with `negate`, does not).

    Score 1 or 0. A pattern that could backtrack for long is matched in another process and given up after `timeout`
    seconds: an error of the evaluation.

    Parameters
    ----------
    pattern : str, optional
        One pattern for all rows; without it the role `reference` holds a pattern per row.
    mode : {"search", "match", "fullmatch"}
        As in Python's `re`.
    flags : str
        Letters of `re` flags: "i", "m", "s", "x", "a".
    negate : bool
        Pass when the pattern is absent.
    timeout : float
        Seconds for one row.
    **common
        `name`, `pass_at` (1), and the columns of the roles.

    Raises
    ------
    DataError
        When the pattern is not a regular expression.

    Examples
    --------
    >>> RegexMatch(pattern=r"order #[0-9]+").evaluate(response="Your order #12 is sent").spans
    ((5, 14),)
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="regex_match",
        measures="Whether the response matches a regular expression.",
        roles=("response",),
        optional=("reference",),
        weaknesses="As good as the pattern; patterns that backtrack without end become errors after the time allowed.",
        accuracy="Python's re.",
        family="reference",
    )

    def __init__(
        self,
        pattern: str | None = None,
        *,
        mode: str = "search",
        flags: str = "",
        negate: bool = False,
        timeout: float = 1.0,
        **common: Any,
    ) -> None:
        check_choice("mode", mode, ("search", "match", "fullmatch"), DataError)
        settings = {"pattern": pattern, "mode": mode, "flags": flags, "negate": negate}
        super().__init__(settings=settings, **common)
        self.pattern, self.mode, self.negate, self.timeout = pattern, mode, negate, timeout
        self.flags = _flags(flags)
        if pattern is not None:
            _compiles(pattern, self.flags)

    def _evaluate(self, response: object, reference: object = None) -> Evaluated:
        value = text("response", response)
        pattern = self.pattern if self.pattern is not None else text("reference (the pattern)", reference)
        _compiles(pattern, self.flags)
        if regex_cost(pattern, len(value), self.flags) <= _CHEAP:
            span = find_pattern(pattern, value, self.mode, self.flags)
        else:
            answer = run_apart({"do": "regex", "with": [pattern, value, self.mode, self.flags]}, self.timeout, pattern)
            if "error" in answer:
                raise DataError(str(answer["error"]))
            span = answer["span"]
        found = span is not None
        reason = f"{'matches' if found else 'does not match'} {show(pattern)}"
        return Evaluated(float(found != self.negate), None, reason, spans=((span[0], span[1]),) if span else None)


def _flags(letters: str) -> int:
    known = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE, "a": re.ASCII}
    total = 0
    for letter in letters:
        check_choice("flags", letter, known, DataError)
        total |= known[letter]
    return int(total)


@functools.lru_cache(maxsize=512)
def _compiles(pattern: str, flags: int) -> bool:
    try:
        re.compile(pattern, flags)
    except (re.error, RecursionError, OverflowError) as error:
        raise DataError(f"the pattern {show(pattern)} is not a regular expression: {error}.") from None
    return True
