"""From Arrow tables to frames whose columns have the types of the whole source, whatever a single batch holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dfevals.columns.codes import code_dtype
from dfevals.columns.plain_values import EXACT
from dfevals.columns.sources.arrow_rows import of_arrow
from dfevals.columns.streams.source import Chunk, Ends

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Forms", "is_text", "joined"]


class Forms:
    """What was seen of the columns of a source: which whole numbers and truth values have gaps, and all categories.

    pandas gives such a column another type where a value is missing, so that the type of a batch is not that of the
    whole. A column that is categorical in the source has the categories of all batches, in the order of their first
    appearance; where parts of the source have other categories, it is text.
    """

    def __init__(self, schema: pa.Schema) -> None:
        import pyarrow as pa

        self._open = {field.name for field in schema if _is_whole(field.type) or pa.types.is_dictionary(field.type)}
        self._truths = {field.name for field in schema if pa.types.is_boolean(field.type)}
        self._gaps: dict[str, bool] = {}
        self._greatest: dict[str, int] = {}
        self._categories: dict[str, dict[int, dict[Any, None]]] = {
            field.name: {} for field in schema if pa.types.is_dictionary(field.type)
        }

    def unknown(self, names: Iterable[Any]) -> list[Any]:
        """Those of the columns whose type as a whole depends on batches that were not looked at."""
        return [name for name in names if name in self._open]

    def close(self, names: Iterable[Any]) -> None:
        """All batches of these columns were looked at."""
        self._open -= set(names)

    def know(self, name: Any, ends: Ends) -> None:
        """What is known of all whole numbers of a column without looking at them."""
        if name in self._open:
            self._gaps[name] = ends.missing > 0
            self._greatest[name] = int(max(abs(ends.low), abs(ends.high))) if ends.n else 0
            self._open.remove(name)

    def note(self, chunk: Chunk) -> None:
        """Look at a batch."""
        for name, column in zip(chunk.table.column_names, chunk.table.columns, strict=True):
            if name in self._categories:
                known = self._categories[name].setdefault(chunk.part, {})
                for piece in column.chunks:
                    known.update(dict.fromkeys(piece.dictionary.to_pylist()))
            elif _is_whole(column.type):
                self._note_whole(name, column)

    def _note_whole(self, name: str, column: pa.ChunkedArray) -> None:
        import pyarrow.compute as pc

        self._gaps[name] = self._gaps.get(name, False) or column.null_count > 0
        if name in self._truths or len(column) == column.null_count:
            return
        size = max(abs(int(value)) for value in pc.min_max(column).as_py().values())
        self._greatest[name] = max(self._greatest.get(name, 0), size)

    def is_categorical(self, name: Any) -> bool:
        """Whether a column is categorical in the source."""
        return name in self._categories

    def categories(self, name: str) -> list[Any] | None:
        """All categories of a column that is categorical in the source and alike in all of its parts."""
        parts = list(self._categories.get(name, {}).values())
        if not parts or any(part.keys() != parts[0].keys() for part in parts):
            return None
        return [value for value in parts[0] if value is not None]

    def frame(self, table: pa.Table, *, texts: bool = False) -> pd.DataFrame:
        """A batch as a frame; texts are categories of the batch, or with `texts` what they are."""
        coded = table.replace_schema_metadata(None)
        for i, name in enumerate(table.column_names):
            as_it_is = name in self._categories and (name in self._open or self.categories(name) is not None)
            if is_text(table.schema.field(i).type) and not as_it_is:
                coded = coded.set_column(i, name, (_decoded if texts else _encoded)(table.column(i)))
        frame = of_arrow(coded)
        for name in frame.columns:
            found = self._formed(frame[name], name)
            if found is not frame[name]:
                frame[name] = found
        return frame

    def _formed(self, series: pd.Series, name: Any) -> pd.Series:
        known = self.categories(name)
        if known is not None and isinstance(series.dtype, pd.CategoricalDtype):
            return series.cat.set_categories(known)
        if not self._gaps.get(name):
            return series
        if name in self._truths:
            return series.astype(object)
        greatest = self._greatest.get(name, 0)
        if greatest >= 1 << 64:
            return series.astype(object)
        whole: Any = "UInt64" if greatest >= 1 << 63 else "Int64"
        return series.astype(whole if greatest > EXACT else np.float64)


def _is_whole(kind: pa.DataType) -> bool:
    import pyarrow as pa

    whole = pa.types.is_decimal(kind) and kind.scale <= 0
    return bool(whole or pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def is_text(kind: pa.DataType) -> bool:
    """Whether values of a type are texts, however they are kept."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view")


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts that pandas knows."""
    import pyarrow as pa

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return column
    try:
        return column.cast(pa.large_string())
    except pa.ArrowException:  # old versions of Arrow cannot cast views
        return pa.chunked_array([pa.array(column.to_pylist(), pa.large_string())])


def _encoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts as codes into one dictionary."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        return _decoded(column).dictionary_encode()
    plain = all(not piece.dictionary.null_count for piece in column.chunks)
    return column if plain else _decoded(column).dictionary_encode()


def joined(parts: Sequence[pd.Series], none: pd.Series, *, alike: bool = False) -> pd.Series:
    """Columns of batches below each other; texts as categories in their order, but where all parts have `alike` ones."""
    if not parts:
        return none
    if alike or not all(isinstance(series.dtype, pd.CategoricalDtype) for series in parts):
        return pd.concat(parts, ignore_index=True)
    values = sorted({value for series in parts for value in series.cat.categories})
    place = {value: i for i, value in enumerate(values)}
    codes = [_recoded(series, place) for series in parts]
    return pd.Series(pd.Categorical.from_codes(np.concatenate(codes), pd.Index(values)), name=parts[0].name)


def _recoded(series: pd.Series, place: dict[Any, int]) -> np.ndarray[Any, Any]:
    table = np.array([*(place[value] for value in series.cat.categories), -1], code_dtype(len(place) + 1))
    return table.take(series.cat.codes.to_numpy(), mode="wrap")
