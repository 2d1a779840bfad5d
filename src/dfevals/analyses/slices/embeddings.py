"""Clusters of embeddings as one more column: topics, described by their nearest rows and distinguishing words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals.analyses.slices.features import LONG_TEXT
from dfevals.cohorts.definitions import column_of
from dfevals.exceptions import DataError

__all__ = ["Topics", "topics"]

Array = npt.NDArray[Any]
ROWS_OF_A_TOPIC = 100
MOST_TOPICS = 20
NEAREST = 3
WORDS = 5
_WORD = re.compile(r"\w{3,}")


@dataclass(frozen=True)
class Topics:
    """The topic of every row (missing where there is no vector), and a table of topics."""

    labels: pd.Series
    table: pd.DataFrame


def topics(frame: pd.DataFrame, embeddings: Any, random_state: Any) -> Topics:
    """Clusters of vectors by k-means, about one per hundred rows and at most twenty.

    Parameters
    ----------
    frame : DataFrame
    embeddings : column of vectors, or list of columns of numbers
    random_state : int

    Raises
    ------
    DataError
        Cells are no vectors of one length, or there are too few.
    """
    from sklearn.cluster import KMeans

    names = list(embeddings) if isinstance(embeddings, list | tuple) else [embeddings]
    vectors = _vectors(frame, names)
    known = np.isfinite(vectors).all(axis=1)
    k = int(min(known.sum() // ROWS_OF_A_TOPIC, MOST_TOPICS))
    if k < 2:
        raise DataError(
            f"embeddings: {int(known.sum()):,} rows have a vector; topics need at least {2 * ROWS_OF_A_TOPIC}."
        )
    seed = random_state if isinstance(random_state, int | np.integer) else 0
    model = KMeans(k, n_init=4, random_state=int(seed)).fit(vectors[known][:: max(int(known.sum()) // 50_000, 1)])
    place = np.full(len(frame), -1)
    place[known] = model.predict(vectors[known])
    found = [_topic(frame, vectors, place, model.cluster_centers_, i) for i in range(k)]
    labels = np.array([*(row["topic"] for row in found), None], dtype=object)[place]
    name = f"{names[0]}_topic"
    while name in frame.columns:
        name += "_"
    return Topics(pd.Series(labels, index=frame.index, name=name), pd.DataFrame(found))


def _vectors(frame: pd.DataFrame, names: list[Hashable]) -> npt.NDArray[np.float32]:
    columns = [column_of(frame, name) for name in names]
    try:
        if len(columns) > 1:
            return np.column_stack([column.to_numpy(dtype=np.float32, na_value=np.nan) for column in columns])
        cells = columns[0].to_numpy(dtype=object)
        width = next((len(cell) for cell in cells if hasattr(cell, "__len__") and not isinstance(cell, str)), 0)
        empty = np.full(width, np.nan, np.float32)
        rows = [np.asarray(cell, np.float32) if hasattr(cell, "__len__") else empty for cell in cells]
        table = np.stack(rows) if rows and width else np.zeros((0, 0), np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"embeddings={names[0]!r}: cells are no vectors of one length ({error}).") from error
    if table.ndim != 2 or not table.shape[1]:
        raise DataError(
            f"embeddings={names[0]!r} holds no vectors. Pass a column of lists of numbers, or a list of columns."
        )
    return table


def _topic(frame: pd.DataFrame, vectors: Array, place: Array, centres: Array, i: int) -> dict[str, Any]:
    """Name, size, words and nearest rows of one topic."""
    rows = np.flatnonzero(place == i)
    distance = ((vectors[rows] - centres[i]) ** 2).sum(axis=1)
    nearest = frame.index[rows[np.argsort(distance, kind="stable")[:NEAREST]]].tolist()
    words = _words(frame, place, rows)
    name = f"{i + 1}: {', '.join(words[:3])}" if words else f"topic {i + 1}"
    return {"topic": name, "n": len(rows), "words": ", ".join(words), "nearest": nearest}


def _words(frame: pd.DataFrame, place: Array, rows: Array) -> list[str]:
    """Words of the first column of prose that are in more of a topic's texts than of others, by the odds of it.

    References
    ----------
    Monroe, Colaresi & Quinn (2008), "Fightin' words", Political Analysis 16.
    """
    prose = next((name for name in frame.columns if _is_prose(frame[name])), None)
    if prose is None:
        return []
    texts = frame[prose].to_numpy(dtype=object)
    others = np.flatnonzero((place >= 0) & (place != place[rows[0]])) if len(rows) else rows
    inside, outside = _counted(texts[rows[:2000]]), _counted(texts[others[:: max(len(others) // 4000, 1)]])
    n, m = max(len(rows[:2000]), 1), max(len(others[:: max(len(others) // 4000, 1)]), 1)

    def odds(word: str) -> float:
        a, b = inside[word] + 0.5, outside[word] + 0.5
        gap = np.log(a / (n + 1 - a)) - np.log(b / (m + 1 - b)) if a < n + 1 and b < m + 1 else 0.0
        return float(gap / np.sqrt(1 / a + 1 / b))

    return sorted(inside, key=lambda word: (-odds(word), word))[:WORDS]


def _counted(texts: Array) -> Counter[str]:
    """Texts that hold each word."""
    return Counter(word for text in texts if isinstance(text, str) for word in set(_WORD.findall(text.lower())))


def _is_prose(series: pd.Series) -> bool:
    sample = [cell for cell in series.head(200).to_numpy(dtype=object) if isinstance(cell, str)]
    return bool(sample) and float(np.mean([len(text) for text in sample])) >= LONG_TEXT
