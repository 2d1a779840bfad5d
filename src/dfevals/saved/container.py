"""The bytes of a tally: named arrays as one Arrow record batch, a description as JSON, and a seal over both.

The bytes are an Arrow IPC stream of one batch of one row, every array a list in a column of its own, followed by a trailer
of 64 bytes: 16 of `MAGIC`, the version (4, little-endian), 4 zeros, the length of the stream (8), its SHA-256 (32).
Nothing is compressed, so that what is read takes no more room than the file.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from dfevals.exceptions import DataError

__all__ = ["MAGIC", "VERSION", "Damaged", "pack", "unpack"]

Array = npt.NDArray[Any]
MAGIC = b"dfevals tally\0\0\0"
VERSION = 1
KEY = b"dfevals.tally"
TRAILER = struct.Struct("<16sIIQ32s")
COLUMNS = 1_000_000  # arrays in one file
NUMBERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float", "double", "bool")
TEXTS = ("large_string", "large_binary")


class Damaged(DataError):
    """Bytes that are no whole tally."""


def pack(description: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """The bytes of a description and named arrays; texts are arrays of objects."""
    pa = _arrow()
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    text = json.dumps({**description, "shapes": shapes}, allow_nan=False)
    columns = [_column(pa, array) for array in arrays.values()]
    schema = pa.schema([pa.field(n, c.type) for n, c in zip(arrays, columns, strict=True)], {KEY: text.encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    body = sink.getvalue().to_pybytes()
    return body + TRAILER.pack(MAGIC, VERSION, 0, len(body), hashlib.sha256(body).digest())


def unpack(data: bytes, what: str = "these bytes") -> tuple[dict[str, Any], dict[str, Array]]:
    """Description and arrays of `pack`; `what` names the bytes in errors.

    Raises
    ------
    Damaged
        Foreign, truncated or changed bytes, or a version that is newer than this one.
    """
    body = _sealed(memoryview(data), what)
    pa = _arrow()
    try:
        text, batch = _batch(pa, body, what)
        description = json.loads(text)
        shapes = description.pop("shapes")
        arrays = {name: _array(batch.column(i), shapes[name]) for i, name in enumerate(batch.schema.names)}
    except Damaged:
        raise
    except (
        pa.ArrowException,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RecursionError,
        struct.error,
        OSError,
        MemoryError,
    ) as error:
        raise Damaged(f"{what} cannot be read as a tally: {type(error).__name__}: {error}"[:400]) from None
    return description, arrays


def _arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.ipc
    except ImportError:
        raise DataError("Tallies are written and read by pyarrow. Install it: pip install pyarrow.") from None
    return pyarrow


def _sealed(data: memoryview, what: str) -> memoryview:
    """The stream inside the seal."""
    if len(data) < TRAILER.size:
        raise Damaged(f"{what} is no tally, or the first {len(data)} bytes of one. Copy the file again.")
    magic, version, _, length, digest = TRAILER.unpack(data[-TRAILER.size :])
    if magic != MAGIC:
        end = "truncated" if bytes(data[:4]) == b"\xff\xff\xff\xff" else "another kind of file"
        raise Damaged(f"{what} does not end as a tally does: it is {end}. Tallies are written by tally.save(path).")
    if version > VERSION:
        raise Damaged(
            f"{what} is a tally of version {version}, and this dfevals reads version {VERSION} and older. Update dfevals."
        )
    body = data[: -TRAILER.size]
    if len(body) != length:
        raise Damaged(f"{what} is truncated: it should hold {length:,} bytes and holds {len(body):,}. Copy it again.")
    if hashlib.sha256(body).digest() != digest:
        raise Damaged(f"{what} was changed after it was written: its SHA-256 is not the one it states. Copy it again.")
    return body


def _batch(pa: Any, body: memoryview, what: str) -> tuple[str, Any]:
    """The one batch, after all that would take more room than the file was refused."""
    _refuse_compression(pa, body, what)
    reader = pa.ipc.open_stream(pa.py_buffer(body))
    schema = reader.schema
    if len(schema.names) > COLUMNS or len(set(schema.names)) < len(schema.names):
        _bad(what, "names of arrays repeat, or there are too many")
    for field in schema:
        kind = str(field.type.value_type) if pa.types.is_large_list(field.type) else str(field.type)
        if not pa.types.is_large_list(field.type) or kind not in (*NUMBERS, *TEXTS):
            _bad(what, f"the array {field.name!r:.60} is of type {field.type!s:.60}")
    batch = reader.read_next_batch()
    batch.validate(full=True)
    if batch.num_rows != 1:
        _bad(what, f"it has {batch.num_rows} rows where a tally has one")
    return (schema.metadata or {})[KEY].decode(), batch


def _bad(what: str, why: str) -> NoReturn:
    raise Damaged(f"{what} cannot be read as a tally: {why}.")


def _refuse_compression(pa: Any, body: memoryview, what: str) -> None:
    """Refuse batches that are compressed: they could unfold to any size."""
    stream = pa.BufferReader(pa.py_buffer(body))
    while True:
        try:
            message = pa.ipc.read_message(stream)
        except EOFError:
            return
        if message.type == "record batch" and _is_compressed(message.metadata.to_pybytes()):
            _bad(what, "it is compressed")
        if message.type not in ("schema", "record batch"):
            _bad(what, f"it holds a {message.type}")


def _is_compressed(message: bytes) -> bool:
    """Whether the header of a message (a flatbuffer: Message.header, RecordBatch.compression) names a compression."""
    table = struct.unpack_from("<I", message)[0]
    header = _field(message, table, 2)
    return bool(_field(message, header + struct.unpack_from("<I", message, header)[0], 3))


def _field(message: bytes, table: int, index: int) -> int:
    """Where a field of a flatbuffer's table lies; 0 where it is absent."""
    fields = table - struct.unpack_from("<i", message, table)[0]
    size = struct.unpack_from("<H", message, fields)[0]
    at = 4 + 2 * index
    inside = struct.unpack_from("<H", message, fields + at)[0] if at < size else 0
    return table + inside if inside else 0


def _column(pa: Any, array: Array) -> Any:
    """An array as the only list of a column."""
    flat = np.ascontiguousarray(array).reshape(-1)
    if flat.dtype == object:
        values = _texts(pa, flat.tolist())
    else:
        values = pa.array(flat)
    return pa.LargeListArray.from_arrays(pa.array([0, len(flat)], pa.int64()), values)


def _texts(pa: Any, texts: list[str]) -> Any:
    """Texts; as bytes where they hold halves of characters, for which UTF-8 has no place."""
    try:
        return pa.array(texts, pa.large_string())
    except UnicodeEncodeError:
        return pa.array([text.encode("utf-8", "surrogatepass") for text in texts], pa.large_binary())


def _array(column: Any, shape: list[int]) -> Array:
    """The array of a column, as it was packed."""
    values = column.flatten()
    if column.null_count or values.null_count:
        raise ValueError("an array has missing values")
    if any(not isinstance(n, int) or isinstance(n, bool) or n < 0 for n in shape):
        raise ValueError(f"an array has the shape {shape!r:.80}")
    kind = str(values.type)
    if kind in TEXTS:
        out = np.empty(len(values), dtype=object)
        out[:] = [t.decode("utf-8", "surrogatepass") if isinstance(t, bytes) else t for t in values.to_pylist()]
    else:
        out = np.array(values.to_numpy(zero_copy_only=False))  # a copy: Arrow's own memory is read-only
    return out.reshape(shape)
