"""Agreement with a reference: the same answer, the same words, the same number, a pattern."""

from __future__ import annotations

import functools
import math
import re
import string
import unicodedata
from collections import Counter
from typing import Any, ClassVar, TypeGuard

from dfevals.evaluators.checking import find_pattern
from dfevals.evaluators.normal_form import nfkc
from dfevals.evaluators.numerals import Numeral, numbers_in, numerals
from dfevals.evaluators.pattern_costs import CHEAP, regex_cost
from dfevals.evaluators.protocol import Evaluated, Evaluator, EvaluatorRecord
from dfevals.evaluators.sandbox import run_apart
from dfevals.evaluators.values import is_missing, plain, show, text, texts
from dfevals.exceptions import DataError, check_choice

__all__ = ["ExactMatch", "NumericMatch", "RegexMatch", "TokenF1", "numbers_in", "squad_text"]

_ARTICLES = frozenset(("a", "an", "the"))
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212"), "-")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
# Marks that carry meaning: between digits (1.5, 3-1) and before them (.5), signs and symbols beside a letter or digit (-5, C++, #1, x<5, A-)
_MEANT = re.compile(
    r"(?<=\d)[^\w\s](?=\d)|(?<![\w.])\.(?=\d)|(?<!\w)-(?=[.$]?\w)|(?<=[^\W_])-(?![\w-])"
    r"|(?<=[^\W_])[+#<>=^]|[+#<>=^]{1,9}(?=\.?[^\W_])|(?<=[^\W_][+#])[+#]|(?<=\w\s)[-+<>=](?=\s\d)"
)
_RAISED = re.compile("(?<=[0-9])[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")  # 5² is not 52
_MARK = re.compile(r"[^\w\s]|_")
_SQUAD = (
    "SQuAD's rule; differs from its script in Unicode (all punctuation of Unicode counts, ² as 2, 5² as 5^2), and keeps signs, "
    "symbols (C++), marks between digits and texts that are nothing but articles or punctuation."
)


def _mark(match: re.Match[str]) -> str:
    """A mark that is no punctuation (of Unicode, or of ASCII) or carries meaning; nothing in the place of others."""
    mark = match.group()
    if unicodedata.category(mark)[0] != "P" and mark not in string.punctuation:
        return mark
    return mark if _MEANT.match(match.string, match.start()) else ""


@functools.lru_cache(maxsize=4096)
def squad_text(value: str) -> str:
    """The text without case, punctuation, English articles and surplus spaces (the rule of SQuAD's scorer).

    What that rule would lose is kept: marks between digits, signs and symbols (1.5, -5, C++), and the last words or
    marks of a text of which nothing else would be left.

    Examples
    --------
    >>> squad_text("The  Eiffel-Tower!"), squad_text("$-1,000.50"), squad_text("C++"), squad_text("A.")
    ('eiffeltower', '-1000.50', 'c++', 'a')
    """
    raised = _RAISED.sub(r"^\g<0>", value.replace("\u00b4", "'"))  # NFKC would part this accent from its letter
    lowered = nfkc(raised).translate(_DASHES).lower()
    words = _MARK.sub(_mark, _THOUSANDS.sub("", lowered)).split()
    return " ".join([word for word in words if word not in _ARTICLES] or words or lowered.split())


class ExactMatch(Evaluator):
    """Whether the response is one of the right answers.

    Score 1 or 0. Texts are compared without case, punctuation, English articles and surplus spaces, as in SQuAD, but
    for what carries meaning: -5 is not 5, 1.5 not 15, C not C++, and an empty response is not the answer "A".
    `exact=True` compares texts as they are.

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
        accuracy=_SQUAD,
        family="reference",
    )

    version: ClassVar[int] = 3

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
        accuracy=_SQUAD,
        family="reference",
    )

    version: ClassVar[int] = 3

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
        Mark of decimals; the other one then groups thousands, as spaces that do not break, apostrophes and underscores
        do.
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

    version: ClassVar[int] = 3

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
        if _is_number(response):
            found = [Numeral(float(response), float(response))]
        else:
            found = numerals(text("response", response), self.decimal)
        if not found:
            return Evaluated(0.0, None, "the response has no number")
        chosen = found if self.which == "any" else [found[-1] if self.which == "last" else found[0]]
        same = any(
            math.isclose(value, right, rel_tol=self.rtol, abs_tol=self.atol) for one in chosen for value in set(one)
        )
        return Evaluated(float(same), None, f"found {chosen[0].value:g}, expected {right:g}")

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
        if regex_cost(pattern, len(value), self.flags, self.mode) <= CHEAP:
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
