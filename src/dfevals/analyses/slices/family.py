"""The searched family: sums of every conjunction of conditions, from joint counts of the codes of columns.

Every set of columns of the greatest depth is one table of counts, made by one count of combined codes; tables of fewer
columns are its margins. A conjunction of fewer conditions is a cell of a smaller table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import comb, prod
from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.analyses.slices.features import Feature
from dfevals.analyses.slices.losses import Losses

__all__ = ["Family", "depth_of", "family_of"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Combo = tuple[int, ...]
BLOCK = 1 << 15  # rows whose codes stay in the cache
MAX_TABLES = 20_000
MAX_CELLS = 1_000_000


def depth_of(sizes: list[int], asked: int) -> int:
    """The greatest depth up to the one asked for whose tables are neither too many nor too large."""
    for depth in range(min(asked, len(sizes)), 1, -1):
        symmetric = np.zeros(depth + 1)
        symmetric[0] = 1.0
        for size in sizes:
            symmetric[1:] += symmetric[:-1] * size
        if comb(len(sizes), depth) <= MAX_TABLES and symmetric[1:].sum() <= MAX_CELLS:
            return depth
    return 1


@dataclass(frozen=True)
class Family:
    """Sums per cell of every table, one after the other; `slices` are the places of the conjunctions that are searched.

    `rows` are the rows, `support` those that the metric counts, `weight` and `square` Σw and Σw² of these (numbers of rows
    have w² = w), `total` Σ w x. Arrays of slices are in the order of `slices`.
    """

    features: tuple[Feature, ...]
    tables: dict[Combo, int]
    depth: int
    sums: dict[str, Floats]
    slices: Array
    n: float
    weight: float
    square: float
    total: float

    def __len__(self) -> int:
        return len(self.slices)

    def of(self, name: str) -> Floats:
        """Sums of the slices: "rows", "support", "weight", "square" or "total"."""
        return self.sums[name][self.slices]

    @property
    def mean(self) -> float:
        """Mean of all rows."""
        return self.total / self.weight

    @cached_property
    def _starts(self) -> Array:
        return np.fromiter(self.tables.values(), np.int64, len(self.tables))

    @cached_property
    def _combos(self) -> list[Combo]:
        return list(self.tables)

    def conditions(self, place: int) -> tuple[tuple[int, int], ...]:
        """Feature and code of every condition of the cell at a place."""
        at = int(np.searchsorted(self._starts, place, "right")) - 1
        combo, code = self._combos[at], place - int(self._starts[at])
        found = []
        for feature in reversed(combo):
            code, own = divmod(code, self.features[feature].size)
            found.append((feature, own))
        return tuple(reversed(found))

    def place(self, conditions: tuple[tuple[int, int], ...]) -> int:
        """Place of the cell of some conditions, which are in the order of the features."""
        code = 0
        for feature, own in conditions:
            code = code * self.features[feature].size + own
        return self.tables[tuple(feature for feature, _ in conditions)] + code

    def expression(self, place: int) -> str:
        """The conjunction as an expression."""
        return " and ".join(self.features[f].conditions[code] for f, code in self.conditions(place))

    @cached_property
    def depths(self) -> Array:
        """Number of conditions of every slice."""
        size = np.array([len(combo) for combo in self._combos])
        return size[np.searchsorted(self._starts, self.slices, "right") - 1]

    def codes(self, combo: Combo) -> Array:
        """Cell of every row in the table of some features."""
        found = np.zeros(len(self.features[combo[0]].codes), np.intp)
        for f in combo:
            found *= self.features[f].size
            found += self.features[f].codes
        return found

    def mask(self, place: int) -> npt.NDArray[np.bool_]:
        """The rows of a cell."""
        parts = [self.features[f].codes == code for f, code in self.conditions(place)]
        return np.logical_and.reduce(parts)


def family_of(features: tuple[Feature, ...], losses: Losses, depth: int, min_n: float, min_share: float) -> Family:
    """Count every table, and keep the conjunctions with enough rows.

    A conjunction with too few rows is left out, and with it all that have more conditions: no sum of a part of its rows
    can count as many.
    """
    sizes = [f.size for f in features]
    depth = min(depth, len(features))
    deepest = _counted(features, losses, depth)
    tables, arrays = _margins(deepest, sizes, depth)
    starts, at = {}, 0
    for combo in tables:
        starts[combo] = at
        at += prod(sizes[f] for f in combo)
    sums = {name: np.concatenate([part.reshape(-1) for part in parts]) for name, parts in arrays.items()}
    first = [arrays[name][0].sum() for name in ("rows", "support", "weight", "square", "total")]
    n, _, weight, square, total = (float(x) for x in first)
    written = np.concatenate([_written(features, combo) for combo in tables])
    enough = (sums["rows"] >= max(min_share * n, 1)) & (sums["support"] >= max(min_n, 1)) & (sums["rows"] < n)
    return Family(features, starts, depth, sums, np.flatnonzero(written & enough), n, weight, square, total)


def _written(features: tuple[Feature, ...], combo: Combo) -> npt.NDArray[np.bool_]:
    """Cells of a table whose codes all have a condition."""
    found = np.ones(1, bool)
    for f in combo:
        found = (found[:, None] & np.array([c != "" for c in features[f].conditions])).reshape(-1)
    return found


def _margins(
    deepest: dict[Combo, dict[str, Floats]], sizes: list[int], depth: int
) -> tuple[list[Combo], dict[str, list[Floats]]]:
    """Tables of all depths, those of fewer columns first, as margins of those of one more."""
    levels = {depth: deepest}
    for level in range(depth - 1, 0, -1):
        levels[level] = {}
        for combo in combinations(range(len(sizes)), level):
            more = next(f for f in range(len(sizes)) if f not in combo)
            wide = tuple(sorted((*combo, more)))
            shape = tuple(sizes[f] for f in wide)
            levels[level][combo] = {
                name: part.reshape(shape).sum(axis=wide.index(more)) for name, part in levels[level + 1][wide].items()
            }
    ordered = {combo: parts for level in sorted(levels) for combo, parts in levels[level].items()}
    names = next(iter(deepest.values()))
    return list(ordered), {name: [parts[name] for parts in ordered.values()] for name in names}


def _counted(features: tuple[Feature, ...], losses: Losses, depth: int) -> dict[Combo, dict[str, Floats]]:
    """Sums of the tables of the greatest depth."""
    if losses.weight is None and losses.binary:
        return _by_kind(features, losses, depth)
    counted = np.ones(len(losses)) if losses.counted is None else losses.counted.astype(float)
    weight = counted if losses.weight is None else losses.weight * counted
    channels: dict[str, Floats | None] = {
        "rows": losses.count,
        "support": counted * losses.count if losses.count is not None else counted,
        "weight": weight,
        "square": weight if losses.frequency else weight**2,
        "total": weight * losses.value,
    }
    if losses.weight is None and losses.counted is None:
        channels = {"rows": None, "total": losses.value}
    found = _tables(features, [*channels.values()], depth, 1)
    named = {combo: dict(zip(channels, parts, strict=True)) for combo, parts in found.items()}
    for parts in named.values():
        for name in ("support", "weight", "square"):
            parts.setdefault(name, parts["rows"])
    return named


def _by_kind(features: tuple[Feature, ...], losses: Losses, depth: int) -> dict[Combo, dict[str, Floats]]:
    """Of zeros and ones, sums from one count of cells split by the number (and rows that are not counted)."""
    kinds = 2 if losses.counted is None else 3
    kind = losses.value.astype(np.uint8)
    if losses.counted is not None:
        kind[~losses.counted] = 2
    found = {}
    for combo, (counts,) in _tables(features, [None], depth, kinds, kind).items():
        table = counts.reshape(-1, kinds)
        support = table[:, 0] + table[:, 1]
        found[combo] = {
            "rows": table.sum(axis=1),
            "support": support,
            "weight": support,
            "square": support,
            "total": table[:, 1],
        }
    return found


def _tables(
    features: tuple[Feature, ...], channels: list[Floats | None], depth: int, kinds: int, kind: Array | None = None
) -> dict[Combo, list[Floats]]:
    """Counts, or sums of numbers, of all cells of every table of a depth, a block of rows at a time."""
    sizes = [f.size for f in features]
    combos = list(combinations(range(len(features)), depth))
    width = {combo: prod(sizes[f] for f in combo) * kinds for combo in combos}
    out = {combo: [np.zeros(width[combo]) for _ in channels] for combo in combos}
    n = len(features[0].codes)
    small = _narrowest(max(width.values(), default=1))
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        codes = [f.codes[start:stop].astype(small) for f in features]
        last = codes if kind is None else [code * small.type(kinds) + kind[start:stop].astype(small) for code in codes]
        parts = [None if channel is None else channel[start:stop] for channel in channels]
        buffer = np.empty(stop - start, small)
        prefix = np.zeros(stop - start, small)
        before: Combo = (-1,)
        for combo in combos:
            if combo[:-1] != before:
                prefix, before = _joint(codes, sizes, combo[:-1], stop - start), combo[:-1]
            np.multiply(prefix, small.type(sizes[combo[-1]] * kinds), out=buffer)
            buffer += last[combo[-1]]
            for total, part in zip(out[combo], parts, strict=True):
                total += np.bincount(buffer, part, width[combo])
    return out


def _narrowest(width: int) -> np.dtype[Any]:
    """The smallest type that holds codes below `width`; arithmetic on it is the quicker the smaller it is."""
    return np.dtype(next(kind for kind in (np.uint8, np.int16, np.int32, np.int64) if width - 1 <= np.iinfo(kind).max))


def _joint(codes: list[Array], sizes: list[int], combo: Combo, n: int) -> Array:
    found = np.zeros(n, codes[0].dtype)
    for f in combo:
        found *= found.dtype.type(sizes[f])
        found += codes[f]
    return found
