"""What kind of scores a model gives: probabilities, margins, or numbers of which neither can be said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dfevals.columns.numbers import BLOCK, Numbers

__all__ = ["ROUNDING", "Spread", "spread"]

ROUNDING = 1e-4  # probabilities this far outside [0, 1] are rounding and are clipped
MOSTLY = 0.98  # scores of which at least this share lies in [0, 1] are probabilities with mistakes among them


@dataclass(frozen=True)
class Spread:
    """Where the finite scores of a model lie: how many there are and how many outside [0, 1], the first of these."""

    low: float = math.inf
    high: float = -math.inf
    n: int = 0
    outside: int = 0
    first: tuple[str, int, float] | None = None

    def __or__(self, other: Spread) -> Spread:
        firsts = [found for found in (self.first, other.first) if found is not None]
        first = min(firsts, key=lambda found: found[1], default=None)
        low, high = min(self.low, other.low), max(self.high, other.high)
        return Spread(low, high, self.n + other.n, self.outside + other.outside, first)

    def moved(self, by: int) -> Spread:
        """The same, where the rows begin at this place among all rows."""
        return self if self.first is None else replace(self, first=(self.first[0], self.first[1] + by, self.first[2]))

    @property
    def within(self) -> bool:
        """Whether all scores lie in [0, 1], but for rounding."""
        return self.outside == 0

    @property
    def place(self) -> str:
        """The first score outside [0, 1] and where it is."""
        assert self.first is not None
        name, row, value = self.first
        return f"{value:.8g} at row {row:,} of column {name!r}"

    def kind(self, binary: bool) -> str:
        """ "probability", "margin" (cut at 0), or "unclear": no cut can be told from the scores."""
        if self.within:
            return "probability"
        mistakes = self.n - self.outside >= MOSTLY * self.n
        one_sided = self.low >= -ROUNDING or self.high <= ROUNDING  # by a cut at 0 all rows would be alike
        return "unclear" if mistakes or (binary and one_sided) else "margin"

    def doubt(self, model: str) -> str:
        """Why no cut can be told, and the fix."""
        text = f"The scores of model {model!r} range from {self.low:.8g} to {self.high:.8g}: "
        if self.n - self.outside >= MOSTLY * self.n:
            text += (
                f"{self.outside:,} of {self.n:,} lie outside [0, 1], the first {self.place}, so they are neither "
                "probabilities nor margins. Mend or drop those rows, or say"
            )
        else:
            side, other, percent = "above 1", "below", "Divide them into [0, 1] if they are percent, or say"
            if self.high <= ROUNDING:
                side, other, percent = "below 0", "above", "Take the exponential if they are logarithms, or say"
            text += (
                f"not probabilities (the first {side} is {self.place}) and nothing lies {other} 0, so neither 0.5 nor 0 "
                f"parts the classes. {percent}"
            )
        return text + " from where rows are predicted positive, threshold=…, or that 0 is the cut, score_kind='margin'."


def spread(columns: Sequence[tuple[str, Numbers]], n: int) -> Spread:
    """Where the scores lie, read a block at a time."""
    low, high, known, outside = math.inf, -math.inf, 0, 0
    first: tuple[str, int, float] | None = None
    for name, numbers in columns:
        for start in range(0, n, BLOCK):
            block = numbers.block(start, start + BLOCK)
            block_low, block_high = float(block.min()), float(block.max())
            count = len(block)
            if not math.isfinite(block_low + block_high):
                finite = block[np.isfinite(block)]
                count = len(finite)
                if not count:
                    continue
                block_low, block_high = float(finite.min()), float(finite.max())
            known += count
            low, high = min(low, block_low), max(high, block_high)
            if block_low >= -ROUNDING and block_high <= 1 + ROUNDING:
                continue
            out = np.isfinite(block) & ((block < -ROUNDING) | (block > 1 + ROUNDING))
            outside += int(out.sum())
            at = start + int(np.argmax(out))
            first = (name, at, float(block[at - start])) if first is None or at < first[1] else first
    return Spread(low, high, known, outside, first)
