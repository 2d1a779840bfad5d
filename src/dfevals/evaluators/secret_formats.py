"""Formats of keys, tokens and passwords, and messages without them."""

from __future__ import annotations

import functools
import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from urllib.parse import quote

__all__ = ["ASSIGNED", "FORMATS", "findings", "first_come", "redacted"]

FORMATS = {
    "AWS access key": r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
    "GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{60,90})\b",
    "GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,40}\b",
    "OpenAI or Anthropic key": r"\bsk-(?:proj-|ant-|svcacct-|live-)?[A-Za-z0-9_-]{20,200}\b",
    "Slack token": r"\bxox[abprs]-[A-Za-z0-9-]{10,80}\b",
    "Slack webhook": r"https://hooks\.slack\.com/services/[A-Za-z0-9/]{20,80}",
    "Stripe key": r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,120}\b",
    "Google API key": r"\bAIza[A-Za-z0-9_-]{35}",
    "npm token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "PyPI token": r"\bpypi-[A-Za-z0-9_-]{50,250}",
    "Hugging Face token": r"\bhf_[A-Za-z0-9]{30,50}\b",
    "SendGrid key": r"\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}",
    "private key": r"-----BEGIN (?:[A-Z]{2,10} ){0,2}PRIVATE KEY-----",
    "JSON web token": r"(?<![\w-])eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}",
    "password in a URL": r"\b[a-z][a-z0-9+]{1,20}://[^\s:/@]{1,64}:[^\s:/@]{3,128}@[^\s/@]{3,255}",
}
"""Kind of secret → pattern, as published by those who issue them."""

ASSIGNED = re.compile(
    r"(?i)\b(?:[a-z0-9]{1,30}[_-]){0,3}(?:api[_-]?key|secret(?:[_-]?key)?|access[_-]?token|auth[_-]?token|password|passwd|client[_-]?secret)"
    r"[\"']?\s{0,3}(?:=|:|=>)\s{0,3}[\"']?([^\s\"',;]{8,128})"
)
"""A value given to something that is called a key or a password."""

_BEARER = re.compile(r"(?i)\b(?:bearer|basic)\s{1,3}([A-Za-z0-9._~+/=-]{8,4000})")
_NAMED_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)


@functools.cache
def _formats() -> dict[str, re.Pattern[str]]:
    return {kind: re.compile(pattern, re.ASCII) for kind, pattern in FORMATS.items()}


def findings(value: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and kind of everything in a text that looks like a secret; places may overlap."""
    for kind, pattern in _formats().items():
        for match in pattern.finditer(value):
            yield (*match.span(), kind)
    for match in ASSIGNED.finditer(value):
        secret = match.group(1)
        if _entropy(secret) > 2.8 and re.search(r"[0-9!@#$%^&*]", secret):
            yield (*match.span(1), "assigned secret")


def first_come(found: Iterable[tuple[int, int, str]], length: int) -> list[tuple[int, int, str]]:
    """Findings in a text of so many characters without those that overlap an earlier one.

    Examples
    --------
    >>> first_come([(0, 4, "key"), (3, 6, "word"), (4, 6, "word")], 9)
    [(0, 4, 'key'), (4, 6, 'word')]
    """
    taken, kept = bytearray(length), []
    for start, end, kind in found:
        if taken.find(1, start, end) < 0:
            taken[start:end] = b"\1" * (end - start)
            kept.append((start, end, kind))
    return kept


def redacted(message: str, *secrets: str) -> str:
    """A message with `***` for what looks like a secret, for `secrets`, and for the values of environment variables named as one.

    Examples
    --------
    >>> redacted("401: wrong api_key=Zx93jKq82LmPo")
    '401: wrong api_key=***'
    """
    named = [value for name, value in os.environ.items() if _NAMED_SECRET.search(name)]
    spellings = {
        one for least, held in ((8, named), (1, secrets)) for secret in held for one in _spellings(secret, least)
    }
    for spelling in sorted(spellings, key=len, reverse=True):
        message = message.replace(spelling, "***")
    places = [(start, end) for start, end, _ in findings(message)]
    places += [match.span(1) for match in _BEARER.finditer(message)]
    merged = _merged(places)
    ends = [0, *(end for _, end in merged)]
    kept = [message[end:start] for end, start in zip(ends, [*(start for start, _ in merged), None], strict=True)]
    return "***".join(kept)


def _spellings(secret: str, least: int) -> Iterator[str]:
    """A secret as messages write it: whole, without blanks around it, line by line, quoted by Python, JSON or for a URL."""
    lines = [line.strip() for line in secret.splitlines()]
    for part in (secret, secret.strip(), *(line for line in lines if len(line) >= 16)):
        if len(part.strip()) >= least:
            yield from (part, repr(part)[1:-1], json.dumps(part)[1:-1])
            yield from (quote(part, safe=kept, errors="surrogateescape") for kept in ("", "/"))


def _merged(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(places):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _entropy(value: str) -> float:
    """Bits per character of a text."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())
