"""Unicode's compatibility form (NFKC) of a text of any length and make."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["nfkc"]

# Marks that combine, and what may stand among them; two of them are letters to Python.
_MARKS = re.compile(r"(?:[^\w\s!-~]|[\uff9e\uff9f]){31,}")
_MOST = 30  # in a row, as Unicode's stream-safe text format (UAX #15)


def nfkc(text: str) -> str:
    """NFKC in linear time: the order of combining marks costs the square of their number, so long rows are cut.

    Examples
    --------
    >>> nfkc("ｅ\\u0301"), nfkc("x²")
    ('é', 'x2')
    """
    if text.isascii():
        return text
    out, at = [], 0
    for match in _MARKS.finditer(text):
        cuts = [at, *range(match.start() + _MOST, match.end(), _MOST)]
        out += [unicodedata.normalize("NFKC", text[a:b]) for a, b in zip(cuts, cuts[1:], strict=False)]
        at = cuts[-1]
    return "".join([*out, unicodedata.normalize("NFKC", text[at:])])
