"""Union of the cohorts of two tallies: what must be matched before their numbers add up."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.cohorts import Cohorts, View
from dfevals.cohorts.axes import Axis
from dfevals.exceptions import DataError

__all__ = ["unite"]

Ints = npt.NDArray[np.int64]
Key = tuple[str, ...]


def unite(a: Cohorts, b: Cohorts) -> tuple[Cohorts, Ints, Ints]:
    """Cohorts of both, and the place of every atom of each among the atoms of the union.

    Two cohorts are the same when their texts are; two atoms when they belong to the same cohorts. The union has no codes:
    it stands for rows that are no longer at hand.

    Raises
    ------
    DataError
        Texts are the same but the cohorts are not, because their edges, values or rare cohorts depend on each part.
    """
    _check_cuts(a, b)
    keys_a, keys_b = _keys(a), _keys(b)
    if not a.cuts and a.names:
        _check_named(dict(zip(keys_a, a.expressions, strict=True)), dict(zip(keys_b, b.expressions, strict=True)))
    cohorts = _ordered(keys_a, keys_b)
    index = {key: i for i, key in enumerate(cohorts)}
    labels = tuple(np.array(column, dtype=object) for column in zip(*cohorts, strict=True)) or tuple(
        np.array([], dtype=object) for _ in a.names
    )
    notes = tuple(dict.fromkeys((*a.notes, *b.notes)))
    expressions = {**dict(zip(keys_b, b.expressions, strict=True)), **dict(zip(keys_a, a.expressions, strict=True))}

    def write(i: int) -> str:
        return expressions[cohorts[i]]

    groups = a.groups if a.groups == b.groups else ()
    if a.views is None and b.views is None:
        place = [np.array([index[key] for key in keys], np.int64) for keys in (keys_a, keys_b)]
        axes = _axes(a, b, place, len(cohorts))
        found = Cohorts(
            a.names, labels, np.zeros(0, np.int8), len(cohorts), None, notes, write, a.cuts, axes=axes, groups=groups
        )
        return found, place[0], place[1]
    members = [_members(x, keys) for x, keys in ((a, keys_a), (b, keys_b))]
    atoms = {members_of: i for i, members_of in enumerate(dict.fromkeys([*members[0], *members[1]]))}
    views = tuple(
        View(
            np.array([index[key] for key in group], np.int64),
            np.array([next((j for j, key in enumerate(group) if key in of), -1) for of in atoms], np.int64),
        )
        for group in _groups(a, b, keys_a, keys_b)
    )
    place = [np.array([atoms[of] for of in found], np.int64) for found in members]
    axes = _axes(a, b, place, len(atoms))
    found = Cohorts(
        a.names, labels, np.zeros(0, np.int8), len(atoms), views, notes, write, a.cuts, axes=axes, groups=groups
    )
    return found, place[0], place[1]


def _axes(a: Cohorts, b: Cohorts, place: list[Ints], n_atoms: int) -> tuple[Axis, ...]:
    """The level of every atom of the union, definition by definition; none where the two were not defined alike."""
    if [axis.definition for axis in a.axes] != [axis.definition for axis in b.axes]:
        return ()
    return tuple(_axis(pair, place, n_atoms) for pair in zip(a.axes, b.axes, strict=True))


def _axis(pair: tuple[Axis, Axis], place: list[Ints], n_atoms: int) -> Axis:
    keys: list[list[Key]] = [[(str(level),) for level in axis.levels] for axis in pair]
    levels = _ordered(keys[0], keys[1])
    index = {key: i for i, key in enumerate(levels)}
    codes: Ints = np.zeros(n_atoms, np.int64)
    texts: dict[Key, str] = {}
    for axis, mine, at in reversed([*zip(pair, keys, place, strict=True)]):
        codes[at] = np.array([index[key] for key in mine], np.int64)[axis.codes]
        texts |= zip(mine, axis.conditions, strict=True)
    labels = np.array([key[0] for key in levels], dtype=object)
    return Axis(pair[0].definition, labels, codes, [texts[key] for key in levels].__getitem__, pair[0].cut)


def _check_cuts(a: Cohorts, b: Cohorts) -> None:
    """Refuse cohorts that every part has cut for itself."""
    if a.folded or b.folded:
        raise DataError(
            "Rare cohorts were folded by min_n=, and which ones are rare depends on the rows of each part. "
            "Collect both without min_n=."
        )
    for name, mine, theirs in zip(a.names, a.cuts, b.cuts, strict=False):
        if mine != theirs:
            raise DataError(
                f"The cohorts of {name!r} are not the same in both tallies: {_cut_text(mine)} and {_cut_text(theirs)}. "
                f"Give both parts the same edges, by=dfevals.bins({name!r}, [...]), or make one column of cohorts "
                "before the rows are divided."
            )


def _cut_text(cut: tuple[str, ...] | None) -> str:
    if cut is None:
        return "every value"
    return ", ".join(cut[:8]) + (", …" if len(cut) > 8 else "") or "no edges"


def _check_named(mine: dict[Key, str], theirs: dict[Key, str]) -> None:
    """Refuse one name for two expressions."""
    for key in mine.keys() & theirs.keys():
        if mine[key] and theirs[key] and mine[key] != theirs[key]:
            raise DataError(
                f"Cohort {key[0]!r} is {mine[key]!r} in one tally and {theirs[key]!r} in the other. "
                "Give both the same expression."
            )


def _keys(cohorts: Cohorts) -> list[Key]:
    """Texts of every cohort."""
    return [tuple(str(text) for text in row) for row in zip(*cohorts.labels, strict=True)]


def _members(cohorts: Cohorts, keys: list[Key]) -> list[frozenset[Key]]:
    """For every atom the cohorts that hold it."""
    found: list[set[Key]] = [set() for _ in range(cohorts.n_atoms)]
    for key, atoms in zip(keys, cohorts.atoms, strict=True):
        for atom in atoms:
            found[atom].add(key)
    return [frozenset(of) for of in found]


def _groups(a: Cohorts, b: Cohorts, keys_a: list[Key], keys_b: list[Key]) -> list[list[Key]]:
    """Cohorts that do not overlap, view by view; one by one where the two are not divided alike."""
    if a.views is not None and b.views is not None and len(a.views) == len(b.views):
        return [
            list(dict.fromkeys([*(keys_a[i] for i in one.cohorts), *(keys_b[i] for i in other.cohorts)]))
            for one, other in zip(a.views, b.views, strict=True)
        ]
    return [[key] for key in dict.fromkeys([*keys_a, *keys_b])]


def _ordered(first: list[Key], second: list[Key]) -> list[Key]:
    """Both lists in one order: sorted if both are (as numbers or as text), else the second's news at the end."""
    union = list(dict.fromkeys([*first, *second]))
    for rank in (_numeric, _textual):
        ranks = [[rank(key) for key in keys] for keys in (first, second)]
        if all(None not in r and r == sorted(r) for r in ranks):
            return sorted(union, key=rank)
    return union


def _numeric(key: Key) -> Any:
    try:
        return tuple((text == "<NA>", 0.0 if text == "<NA>" else float(text)) for text in key)
    except ValueError:
        return None


def _textual(key: Key) -> Any:
    return tuple((text == "<NA>", text) for text in key)
