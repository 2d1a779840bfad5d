"""Places of a text that are to be seen: unsupported sentences, where the context supports them, words that differ."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

from dfevals.evaluators.overlap import ContextIndex
from dfevals.evaluators.support import SentenceSupport, load_model, support
from dfevals.explorers.rows import printable
from dfevals.words import visible

__all__ = ["Mark", "Supported", "differing", "evidence", "pieces", "sentence_support"]

MOST_WORK = 400_000_000  # characters of the response times those of the context: about a third of a second
MOST_WORDS = 3_000  # words of two texts that are compared
MOST_STEPS = 5_000_000  # pairs of equal words that are looked at: about a second
LEAST_ALIKE = 0.2  # share of common words below which nearly every word would be marked
_WORD = re.compile(r"\w+")

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place of a text with what there is to say about it, in words.

    Attributes
    ----------
    start, end : int
        Characters.
    label : str
        Written behind the place, such as the number of the sentence.
    kind : str
        "unsupported", "supported", "evidence", "nearest" or "found".
    words : str
        For the title, the list below the text, and screen readers.
    """

    start: int
    end: int
    label: str
    kind: str
    words: str

    def plain(self) -> dict[str, str]:
        """What the page gets; where it is, the pieces tell."""
        return {"label": self.label, "kind": self.kind, "words": visible(self.words)}


@dataclass(frozen=True, slots=True)
class Supported:
    """Marks of a response and of the passages of its context; `problem` says why there are none."""

    response: tuple[Mark, ...] = ()
    context: Mapping[int, tuple[Mark, ...]] = field(default_factory=dict)
    problem: str = ""


def sentence_support(
    response: str, context: Sequence[str], mark: float, *, name: str, prefix: str = "", whole: bool = True
) -> Supported:
    """What the groundedness evaluator finds in one response, sentence by sentence.

    Parameters
    ----------
    response : str
        The beginning of it is enough; then `whole` is False and its last, perhaps cut sentence is not judged.
    context : list of str
        Passages.
    mark : float
        Support below which a sentence is unsupported.
    name : str
        The evaluator, for the words.
    prefix : str
        Before the numbers of the sentences, where two responses are shown.

    Examples
    --------
    >>> found = sentence_support("It makes anvils. Pigs fly.", ["Acme makes anvils."], 0.5, name="groundedness")
    >>> [(mark.label, mark.kind) for mark in found.response]
    [('1', 'supported'), ('2', 'unsupported')]
    """
    size = sum(map(len, context))
    if not any(passage.strip() for passage in context):
        return Supported(problem="the context is empty: there is nothing that could support the response")
    if len(response) * size > MOST_WORK:
        return Supported(problem=f"response and context are too long to be read here ({size:,} characters of context)")
    index = ContextIndex(context)
    found = support(response, index, load_model())
    found = found if whole else found[:-1]
    marks = tuple(_of_sentence(one, f"{prefix}{n}", mark, name) for n, one in enumerate(found, 1))
    return Supported(marks, _of_context(index, found, marks))


def _of_sentence(one: SentenceSupport, label: str, mark: float, name: str) -> Mark:
    weak = one.score < mark
    parts = [f"sentence {label}: {'unsupported' if weak else 'supported'} ({name} {one.score:.2f})"]
    if one.contradicted:
        parts.append(f"contradicted: {'; '.join(one.contradicted[:4])}")
    missing = [m for m in one.missing if not any(m in c for c in one.contradicted)]
    if missing and weak:
        parts.append(f"not in the context: {', '.join(missing[:6])}")
    return Mark(*one.span, label, "unsupported" if weak else "supported", "; ".join(parts))


def _of_context(
    index: ContextIndex, found: Sequence[SentenceSupport], marks: Sequence[Mark]
) -> dict[int, tuple[Mark, ...]]:
    """The sentence of the context that shares most with each sentence of the response."""
    by_best: dict[int, list[Mark]] = {}
    for one, mark in zip(found, marks, strict=True):
        if one.best >= 0:
            by_best.setdefault(one.best, []).append(mark)
    out: dict[int, list[Mark]] = {}
    for best, of in sorted(by_best.items()):
        passage, start, end = index.places[best]
        out.setdefault(passage, []).append(evidence(start, end, of))
    return {passage: tuple(there) for passage, there in out.items()}


def evidence(start: int, end: int, of: Sequence[Mark]) -> Mark:
    """A place of the context with the sentences of the response that it is nearest to."""
    holds = [mark.label for mark in of if mark.kind == "supported"]
    other = [mark.label for mark in of if mark.kind != "supported"]
    words = [f"supports sentence {', '.join(holds)}"] if holds else []
    words += [f"nearest to sentence {', '.join(other)}, which it does not support"] if other else []
    kind = "evidence" if holds else "nearest"
    return Mark(start, end, "→" + ",".join(mark.label for mark in of), kind, "; ".join(words))


def differing(a: str, b: str) -> tuple[list[Span], list[Span]] | str:
    """Places of the words that only one of two texts has; or why none are marked.

    Examples
    --------
    >>> differing("It makes anvils.", "It sells anvils.")
    ([(3, 8)], [(3, 8)])
    """
    one, two = ([(m.group(), m.span()) for m in _WORD.finditer(text)] for text in (a, b))
    if max(len(one), len(two)) > MOST_WORDS:
        return "The answers are too long for their words to be compared."
    alike = _alike([w.lower() for w, _ in one], [w.lower() for w, _ in two])
    if alike is None:
        return "The answers repeat their words too often to be compared."
    if 2 * sum(size for _, _, size in alike) < LEAST_ALIKE * (len(one) + len(two)):
        return "The answers have hardly a word in common."
    left: list[Span] = []
    right: list[Span] = []
    a0 = b0 = 0
    for a1, b1, size in [*alike, (len(one), len(two), 0)]:
        left += [(one[a0][1][0], one[a1 - 1][1][1])] if a1 > a0 else []
        right += [(two[b0][1][0], two[b1 - 1][1][1])] if b1 > b0 else []
        a0, b0 = a1 + size, b1 + size
    return left, right


def _alike(one: Sequence[str], two: Sequence[str]) -> list[tuple[int, int, int]] | None:
    """Equal runs of words (start, start, length), as difflib finds them; None where that takes too many steps."""
    if one == two:
        return [(0, 0, len(one))]
    matcher = difflib.SequenceMatcher(None, one, two, autojunk=False)
    partners = Counter(two)
    steps = list(accumulate((partners[word] + 1 for word in one), initial=0))
    todo, found, left = [(0, len(one), 0, len(two))], [], MOST_STEPS
    while todo:
        a0, a1, b0, b1 = todo.pop()
        left -= steps[a1] - steps[a0]
        if left < 0:
            return None
        a, b, size = matcher.find_longest_match(a0, a1, b0, b1)
        if size:
            found.append((a, b, size))
            todo += [(a0, a, b0, b), (a + size, a1, b + size, b1)]
    return sorted(found)


def pieces(text: str, start: int, end: int, marks: Sequence[Mark], differs: Iterable[Span] = ()) -> list[Any]:
    """A part of a text cut where something begins or ends: plain texts, and [text, number of its mark, differs, ends].

    Of marks that overlap the first is kept.

    Examples
    --------
    >>> pieces("a b c", 0, 5, [Mark(2, 3, "1", "found", "")])
    ['a ', ['b', 0, False, True], ' c']
    """
    owner: list[tuple[int, int, int]] = []
    last = -1
    for at, number in sorted((mark.start, n) for n, mark in enumerate(marks)):
        if at >= last and marks[number].end > at:
            owner.append((at, marks[number].end, number))
            last = marks[number].end
    other = sorted(differs)
    cuts = {start, end, *(p for a, b, _ in owner for p in (a, b)), *(p for span in other for p in span)}
    out: list[Any] = []
    mine = apart = 0
    for a, b in pairwise(sorted(cut for cut in cuts if start <= cut <= end)):
        while mine < len(owner) and owner[mine][1] <= a:
            mine += 1
        while apart < len(other) and other[apart][1] <= a:
            apart += 1
        inside = mine < len(owner) and owner[mine][0] <= a
        differ = apart < len(other) and other[apart][0] <= a
        written = printable(text[a:b])
        if inside or differ:
            out.append([written, owner[mine][2] if inside else None, differ, inside and owner[mine][1] == b])
        else:
            out.append(written)
    return out
