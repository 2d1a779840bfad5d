"""Texts as sentences and comparable tokens: stems, numbers, names and dates, with their places."""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass

__all__ = ["ENTITY", "FUNCTION", "NUMBER", "WORD", "Token", "is_negated", "sentences", "tokens"]

FUNCTION, WORD, ENTITY, NUMBER = range(4)

_STOP = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "to",
        "in",
        "on",
        "at",
        "by",
        "for",
        "from",
        "with",
        "as",
        "and",
        "or",
        "but",
        "if",
        "then",
        "than",
        "that",
        "this",
        "these",
        "those",
        "it",
        "its",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "being",
        "am",
        "do",
        "does",
        "did",
        "doing",
        "have",
        "has",
        "had",
        "having",
        "he",
        "she",
        "they",
        "him",
        "his",
        "her",
        "hers",
        "their",
        "theirs",
        "i",
        "you",
        "we",
        "us",
        "our",
        "your",
        "my",
        "me",
        "who",
        "whom",
        "whose",
        "which",
        "what",
        "when",
        "where",
        "why",
        "how",
        "there",
        "here",
        "not",
        "no",
        "nor",
        "so",
        "such",
        "can",
        "could",
        "will",
        "would",
        "shall",
        "should",
        "may",
        "might",
        "must",
        "about",
        "into",
        "over",
        "under",
        "after",
        "before",
        "during",
        "between",
        "both",
        "each",
        "few",
        "more",
        "most",
        "other",
        "some",
        "any",
        "all",
        "also",
        "only",
        "own",
        "same",
        "too",
        "very",
        "s",
        "t",
        "just",
        "up",
        "out",
        "off",
        "again",
        "further",
        "once",
        "because",
        "until",
        "while",
        "through",
        "above",
        "below",
        "against",
    ]
)
_COUNTS = {
    word: str(value)
    for value, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"]
    )
} | {
    "first": "1", "second": "2", "third": "3", "fourth": "4", "fifth": "5", "sixth": "6", "seventh": "7", "eighth": "8",
    "ninth": "9", "tenth": "10", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "hundred": "100",
    "thousand": "1000", "million": "1000000", "billion": "1000000000", "dozen": "12", "twice": "2",
}  # fmt: skip
_VAGUE_COUNTS = frozenset({"one", "first", "second"})
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTH_OF = {name[:3]: name for name in _MONTHS} | {name: name for name in _MONTHS} | {"sept": "september"}
_NEGATIONS = frozenset(
    [
        "not",
        "no",
        "never",
        "none",
        "nobody",
        "nothing",
        "neither",
        "nor",
        "without",
        "cannot",
        "unable",
        "failed",
        "refused",
        "denied",
        "isnt",
        "wasnt",
    ]
)
# Marks that combine: without them (\w has none) the words of most scripts of India would fall into single letters.
_MARKS = "\u200c\u200d" + "".join(c for c in map(chr, range(0x300, 0xFE30)) if unicodedata.category(c)[0] == "M")
_LETTERS = rf"[^\W_]+(?:[{_MARKS}]+[^\W_]*)*"
_WORD = re.compile(rf"{_LETTERS}(?:['’]{_LETTERS})*(?:[.,]\d+)*")
# Scripts without spaces, and Korean, whose words carry their particles: read as overlapping pieces of so many characters.
_UNSPACED = (
    (
        re.compile(r"[\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f]{2,}"),
        2,
    ),
    (
        re.compile(
            r"[\u0e01-\u0e4e\u0e80-\u0ece\u1000-\u103f\u1050-\u109f\u1780-\u17d3\u1950-\u19df\u1a20-\u1a7f"
            r"\u1b00-\u1b4b\ua980-\ua9c0\uaa60-\uaadf]{2,}"
        ),
        4,
    ),
)
_ENDING = re.compile(r"(?:(?<![.!?])[.!?]+[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-Z0-9ÀÖØ-Þ])|[。！？｡．؟۔।॥။។]|\n+)")
_ABBREVIATION = re.compile(
    r"(?:\b[A-Z]|\b(?:Mr|Mrs|Ms|Dr|St|Jr|Sr|Prof|Gen|Col|Lt|Sgt|Rev|Hon|vs|v|No|Inc|Ltd|Co|Corp|etc|e\.g|i\.e|c|ca|approx"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec|Mt|Ft|U\.S|U\.K|D\.C))\.\s+\Z"
)
_LONGEST = 64  # letters of a word that is stemmed
_ISO_DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})(?!\d)")
_SLASH_DATE = re.compile(r"\b(\d{1,2})/(\d{1,2})/(\d{2}|\d{4})\b")
_YEAR_RANGE = re.compile(r"\b(\d{2})(\d{2})[-–—](\d{2})\b")
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th|s)$")
_SUFFIXES = (
    ("ization", "iz"), ("isation", "iz"), ("ations", "at"), ("ation", "at"), ("ements", "e"), ("ement", "e"),
    ("ments", ""), ("ment", ""), ("ingly", ""), ("edly", ""), ("nesses", ""), ("ness", ""), ("ities", ""), ("ity", ""),
    ("ives", "iv"), ("ive", "iv"), ("ions", ""), ("ion", ""), ("ies", "y"), ("ied", "y"), ("ing", ""), ("ers", ""),
    ("er", ""), ("ors", ""), ("or", ""), ("ed", ""), ("es", ""), ("ly", ""), ("s", ""), ("e", ""),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """A comparable key, its kind (FUNCTION, WORD, ENTITY, NUMBER), and the text as written."""

    key: str
    kind: int
    written: str


def sentences(text: str) -> list[tuple[int, int]]:
    """Places of the sentences of a text; initials and usual abbreviations do not end one.

    Examples
    --------
    >>> text = "Dr. A. Roe came. She left!"
    >>> [text[a:b] for a, b in sentences(text)]
    ['Dr. A. Roe came.', 'She left!']
    """
    found, start = [], 0
    for match in _ENDING.finditer(text):
        if _ABBREVIATION.search(text, max(start, match.start() - 8), match.end()):
            continue
        found.append((start, match.end()))
        start = match.end()
    found.append((start, len(text)))
    return [place for place in (_trimmed(text, a, b) for a, b in found) if place[0] < place[1]]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())


def tokens(sentence: str) -> list[Token]:
    """The tokens of a sentence.

    Examples
    --------
    >>> [(token.key, token.kind) for token in tokens("He founded Acme in the 1990s")]
    [('he', 0), ('found', 1), ('acm', 2), ('in', 0), ('the', 0), ('1990', 3)]
    """
    if not sentence.isascii():
        for script, size in _UNSPACED:
            sentence = script.sub(functools.partial(_pieces, size), sentence)
    if "-" in sentence:
        sentence = _ISO_DATE.sub(_spelled_iso, sentence)
    sentence = _YEAR_RANGE.sub(_spelled_range, sentence)
    if "/" in sentence:
        sentence = _SLASH_DATE.sub(_spelled_slash, sentence)
    return [_token(match.group(), place > 0) for place, match in enumerate(_WORD.finditer(sentence))]


def _pieces(size: int, match: re.Match[str]) -> str:
    """The overlapping pieces of a run of characters, as words."""
    run = match.group()
    return f" {' '.join(run[at : at + size] for at in range(max(1, len(run) - size + 1)))} "


def _token(written: str, inside: bool) -> Token:
    lowered = written.lower()
    if lowered[0].isdigit():
        key = _ORDINAL.sub("", lowered.replace(",", ""))
        return Token(key.lstrip("0") or "0", NUMBER, written)
    if lowered in _COUNTS:
        return Token(_COUNTS[lowered], WORD if lowered in _VAGUE_COUNTS else NUMBER, written)
    if lowered in _MONTH_OF and written[0].isupper():
        return Token(_MONTH_OF[lowered], ENTITY, written)
    if lowered in _STOP:
        return Token(lowered, FUNCTION, written)
    capital = written[0].isupper() and (inside or not written[1:].islower())
    return Token(stem(lowered) if len(lowered) <= _LONGEST else lowered, ENTITY if capital else WORD, written)


def _spelled_iso(match: re.Match[str]) -> str:
    month = int(match[2])
    return f"{_MONTHS[month - 1].title()} {int(match[3])} {match[1]}" if 1 <= month <= 12 else match[0]


def _spelled_range(match: re.Match[str]) -> str:
    century, first, last = match.groups()
    return f"{century}{first} {century}{last}" if last > first else match[0]


def _spelled_slash(match: re.Match[str]) -> str:
    first, second, year = int(match[1]), int(match[2]), match[3]
    month, day = (first, second) if first <= 12 else (second, first)
    if len(year) == 2:
        year = ("20" if int(year) < 40 else "19") + year
    return f"{_MONTHS[month - 1].title()} {day} {year}" if 1 <= month <= 12 else match[0]


@functools.lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """A word without its usual English endings.

    Examples
    --------
    >>> stem("founded") == stem("founding") == stem("founders")
    True
    """
    word = word.replace("’", "'").removesuffix("'s")
    if len(word) <= 3 or not word[0].isalpha():
        return word
    for suffix, instead in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)] + instead
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls":
        word = word[:-1]
    if len(word) > 3 and word.endswith("y"):
        word = word[:-1] + "i"
    return word.rstrip("e") if len(word) > 3 else word


def is_negated(found: list[Token]) -> bool:
    """Whether a sentence holds a negation."""
    return any(t.written.lower() in _NEGATIONS or t.written.lower().endswith(("n't", "n’t")) for t in found)
