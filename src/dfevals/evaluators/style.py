"""The form of a text: repetition, length, ease of reading."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any, ClassVar

from dfevals.evaluators.protocol import Evaluated, Evaluator, EvaluatorRecord
from dfevals.evaluators.values import text
from dfevals.exceptions import DataError, check_choice

__all__ = ["Length", "Readability", "Repetition"]

_WORD = re.compile(r"\w+(?:['’]\w+)*")
_SENTENCE_END = re.compile(r"(?<![.!?…。！？])[.!?…。！？]+(?:\s|$)|\n+")


class Repetition(Evaluator):
    """Share of the word n-grams of the response that have occurred before in it.

    Score in [0, 1): 0 when every n-gram is new; lower is better, pass mark .2. Texts of fewer than n words score 0.

    Parameters
    ----------
    n : int
        Words per n-gram.
    **common
        `name`, `pass_at`, and the column of the role `response`.

    References
    ----------
    Welleck et al. 2020, Neural text generation with unlikelihood training (seq-rep-n).

    Examples
    --------
    >>> Repetition(n=2).evaluate(response="so it goes so it goes so it goes").score
    0.625
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="repetition",
        measures="Share of repeated word n-grams (seq-rep-n).",
        roles=("response",),
        better="lower",
        pass_at=0.2,
        weaknesses="Lists and poems repeat on purpose; texts without spaces between words are one word.",
        accuracy="Exact by construction.",
        family="style",
    )

    def __init__(self, *, n: int = 4, **common: Any) -> None:
        if not isinstance(n, int) or n < 1:
            raise DataError(f"n={n!r} must be a whole number of at least 1.")
        super().__init__(settings={"n": n}, **common)
        self.n = n

    def _evaluate(self, response: object) -> Evaluated:
        words = [word.lower() for word in _WORD.findall(text("response", response))]
        grams = Counter(zip(*(words[start:] for start in range(self.n)), strict=False))
        total = grams.total()
        if total == 0:
            return Evaluated(0.0, None, f"fewer than {self.n} words")
        most, times = grams.most_common(1)[0]
        reason = f"{' '.join(most)!r} {times} times" if times > 1 else "no n-gram twice"
        return Evaluated(1.0 - len(grams) / total, None, reason)


class Length(Evaluator):
    """Length of the response; passes between `least` and `most`.

    Parameters
    ----------
    unit : {"words", "characters", "sentences"}
        What is counted.
    least, most : int, optional
        Bounds; without any there is no verdict.
    **common
        `name`, and the column of the role `response`.

    Examples
    --------
    >>> Length(most=3).evaluate(response="four words are here").passed
    False
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="length",
        measures="Number of words, characters or sentences of the response.",
        roles=("response",),
        range=(0.0, math.inf),
        better="lower",
        pass_at=None,
        weaknesses="Says nothing of the content; words are found by spaces and punctuation.",
        accuracy="Exact by construction.",
        family="style",
    )

    def __init__(
        self, *, unit: str = "words", least: int | None = None, most: int | None = None, **common: Any
    ) -> None:
        check_choice("unit", unit, ("words", "characters", "sentences"), DataError)
        if least is not None and most is not None and least > most:
            raise DataError(f"least={least!r} is above most={most!r}.")
        super().__init__(settings={"unit": unit, "least": least, "most": most}, **common)
        self.unit, self.least, self.most = unit, least, most

    def _evaluate(self, response: object) -> Evaluated:
        value = text("response", response)
        if self.unit == "characters":
            count = len(value)
        elif self.unit == "words":
            count = len(_WORD.findall(value))
        else:
            count = _sentences(value)
        reason = f"{count} {self.unit}"
        if self.least is None and self.most is None:
            return Evaluated(float(count), self.passes(float(count)), reason)
        low = self.least is not None and count < self.least
        high = self.most is not None and count > self.most
        bound = f", fewer than {self.least}" if low else f", more than {self.most}" if high else ""
        return Evaluated(float(count), not (low or high), reason + bound)


class Readability(Evaluator):
    """Flesch reading ease of an English response: 100 is very easy, 0 very hard (it may go beyond both).

    Higher is easier; pass mark 30 (college level). `grade=True` gives the Flesch–Kincaid grade instead: lower is easier,
    pass mark 14. A response without words is an error.

    References
    ----------
    Flesch 1948, A new readability yardstick; Kincaid et al. 1975.

    Examples
    --------
    >>> round(Readability().evaluate(response="The cat sat on the mat.").score, 1)
    116.1
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="readability",
        measures="Flesch reading ease (or Flesch-Kincaid grade) of an English response.",
        roles=("response",),
        range=(-math.inf, 121.22),
        pass_at=30.0,
        weaknesses="English only; syllables are estimated by rules; lists and code read as odd sentences.",
        accuracy="The published formulas; gives the published 116, 69 and 37.5 of three example sentences. Syllables by vowel groups.",
        family="style",
    )

    version: ClassVar[int] = 2

    def __init__(self, *, grade: bool = False, **common: Any) -> None:
        super().__init__(settings={"grade": grade}, **common)
        self.grade = grade
        if grade:
            self.better = "lower"
            self.pass_at = common.get("pass_at", 14.0)

    def _evaluate(self, response: object) -> Evaluated:
        value = text("response", response)
        words = _WORD.findall(value)
        if not words:
            raise DataError("the response has no words.")
        per_sentence = len(words) / max(_sentences(value), 1)
        per_word = sum(syllables(word) for word in words) / len(words)
        if self.grade:
            score = 0.39 * per_sentence + 11.8 * per_word - 15.59
        else:
            score = min(206.835 - 1.015 * per_sentence - 84.6 * per_word, 121.22)  # of one syllable, less its rounding
        return Evaluated(score, None, f"{per_sentence:.1f} words a sentence, {per_word:.2f} syllables a word")


def _sentences(value: str) -> int:
    return sum(bool(part.strip()) for part in _SENTENCE_END.split(value))


def syllables(word: str) -> int:
    """Estimated syllables of an English word: its vowel groups, less a silent final e.

    Examples
    --------
    >>> [syllables(word) for word in ("cat", "table", "sentence", "idea")]
    [1, 2, 2, 2]
    """
    lowered = word.lower()
    groups = len(re.findall(r"[aeiouyà-ÿ]+", lowered))
    if (lowered.endswith("e") and not lowered.endswith("le") and groups > 1) or (
        lowered.endswith("ed") and not lowered.endswith(("ted", "ded")) and groups > 1
    ):
        groups -= 1
    if re.search(r"[aeiouy]ing$", lowered):  # be-ing, try-ing: two groups in one run of vowels
        groups += 1
    return max(groups, 1)
