"""Files opened with care: lines and documents of JSON, members of archives, each within bounds and with its place in errors."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from importlib import import_module
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import IO, Any, NoReturn

from dfevals.exceptions import DataError

__all__ = ["Source", "as_text", "parsed"]

LINE = 1 << 28  # bytes of one line of a compressed file
DOCUMENT = 1 << 31  # bytes of one document
MEMBER = 1 << 29  # bytes of one member of an archive, uncompressed
RATIO, SMALL = 1_000, 1 << 24  # how far a member beyond the small size may be compressed
HEAD = 1 << 16  # bytes by which a file is recognised
ZSTANDARD = 93  # the compression method of a ZIP file that Python knows from 3.14 on
_encode = json.JSONEncoder(ensure_ascii=False).encode
_decode = json.JSONDecoder().decode  # takes NaN and Infinity, which Python's own writers write


class Source:
    """One file: what it is recognised by, and its contents when they are asked for.

    Parameters
    ----------
    path : Path
        A file, which may be compressed by gzip.
    is_listed : bool
        Whether it was named (or matched a pattern); else it is one of a folder, in which there may be others.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.jsonl"
    >>> _ = path.write_text('{"score": NaN}\\n')
    >>> Source(path).first
    {'score': nan}
    """

    def __init__(self, path: Path, is_listed: bool = True) -> None:
        self.path, self.is_listed = path, is_listed
        self.label = path.name  # in the rows; with its folder where another file has the name
        self.notes: list[str] = []

    @property
    def name(self) -> str:
        """The name of the file, without that of a compression."""
        return self.path.name.removesuffix(".gz")

    def wrong(self, what: str, line: int | None = None) -> NoReturn:
        """Refuse the file.

        Raises
        ------
        DataError
            Always: the file, the line where it is known, and what is wrong.
        """
        place = f"{str(self.path)!r}" + (f", line {line:,}" if line is not None else "")
        raise DataError(f"{place}: {what}.") from None

    def open(self) -> IO[bytes]:
        """The bytes."""
        try:
            if self.path.suffix == ".gz":
                return BufferedReader(gzip.open(self.path))
            return self.path.open("rb")
        except OSError as error:
            self.wrong(f"cannot be opened ({error.strerror or error})")

    @cached_property
    def head(self) -> bytes:
        """The first bytes."""
        with self.open() as file:
            try:
                return file.read(HEAD)
            except (OSError, EOFError) as error:
                self.wrong(f"cannot be read ({error})")

    @cached_property
    def first(self) -> Any:
        """The first line as JSON; None where it is none."""
        line = self.head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")[0]
        if len(line) == HEAD:  # a long line goes on
            with self.open() as file:
                line = file.readline(LINE)
        try:
            return _decode(line.decode())
        except (ValueError, RecursionError):
            return None

    @property
    def is_document(self) -> bool:
        """Whether the file begins as JSON, but not with a line that is complete."""
        return self.head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[") and self.members is None

    @cached_property
    def document(self) -> Any:
        """The whole file as one value of JSON."""
        with self.open() as file:
            raw = file.read(DOCUMENT + 1)
        if len(raw) > DOCUMENT:
            self.wrong(f"is longer than {DOCUMENT:,} bytes, which one document of JSON may have")
        return parsed(raw, self)

    @property
    def begins_lines(self) -> bool:
        """Whether the first line is an object of its own with something below it, or the name says so."""
        return isinstance(self.first, dict) and (".jsonl" in self.name or b"\n" in self.head.strip())

    def lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Number and object of every line; a last line that is cut off is left out, and said.

        Raises
        ------
        DataError
            A line that is no JSON, nested too deeply, too long, or no object.
        """
        number = 0
        with self.open() as file:
            lines = iter(partial(file.readline, LINE), b"") if self.path.suffix == ".gz" else iter(file)
            while True:
                number += 1
                try:
                    raw = next(lines)
                    value = _quickly(raw)
                    if value is None:
                        line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                        if line.isspace():
                            continue
                        value = _decode(line)
                except StopIteration:
                    return
                except RecursionError:
                    self.wrong("is nested too deeply", number)
                except (OSError, EOFError, UnicodeDecodeError) as error:
                    self.wrong(f"cannot be read ({error})", number)
                except ValueError as error:
                    if len(raw) >= LINE:
                        self.wrong(f"is longer than {LINE:,} bytes", number)
                    if raw.endswith(b"\n"):
                        self.wrong(_reason(error), number)
                    self.notes.append(f"{self.name}: line {number:,}, the last, is cut off and left out.")
                    return
                if not isinstance(value, dict):
                    self.wrong("is no object of JSON", number)
                yield number, value

    # Archives

    @cached_property
    def members(self) -> dict[str, zipfile.ZipInfo] | None:
        """The members of a ZIP file by name, the last of a name counts; None where the file is none."""
        if not self.head.startswith(b"PK"):
            return None
        try:
            with zipfile.ZipFile(self.path) as archive:
                return {info.filename: info for info in archive.infolist()}
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            self.wrong(f"is no complete ZIP file ({error}); it may be cut off")

    def member(self, name: str) -> Any:
        """A member as JSON, read within the size that it states.

        Raises
        ------
        DataError
            It is too large, damaged, or its compression cannot be read here.
        """
        assert self.members is not None
        info = self.members[name]
        bomb = info.file_size > SMALL and info.file_size > RATIO * info.compress_size
        if info.file_size > MEMBER or bomb:
            self.wrong(f"the member {name!r} would be {info.file_size:,} bytes, which no sample is")
        if info.flag_bits & 1:
            self.wrong(f"the member {name!r} is encrypted")
        try:
            raw = self._zstandard(info) if info.compress_type == ZSTANDARD else self._deflated(info)
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError) as error:
            self.wrong(f"the member {name!r} cannot be read ({error})")
        if len(raw) > info.file_size:
            self.wrong(f"the member {name!r} is longer than the {info.file_size:,} bytes that it states")
        return parsed(raw, self, name)

    def _deflated(self, info: zipfile.ZipInfo) -> bytes:
        with zipfile.ZipFile(self.path) as archive, archive.open(info) as member:
            return member.read(info.file_size + 1)

    def _zstandard(self, info: zipfile.ZipInfo) -> bytes:
        """Bytes of a member that this Python's own reader does not know."""
        with self.path.open("rb") as file:
            file.seek(info.header_offset)
            header = file.read(30)
            if header[:4] != b"PK\x03\x04":
                raise ValueError("its header is damaged")
            file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
            raw = file.read(info.compress_size)
        return _unpacked(raw, info.file_size + 1)


def _fast() -> Callable[[bytes], Any] | None:
    """The parser of orjson, where it is installed."""
    try:
        from orjson import loads
    except ImportError:
        return None
    return loads


_loads = _fast()
_DIGITS = bytes(0x30 if 0x30 <= i <= 0x39 else 0x20 for i in range(256))  # every digit becomes 0, all else a space


def _quickly(raw: bytes) -> Any:
    """A line by the quick parser, if it can be trusted with it: it takes no NaN, and makes floats of long integers."""
    if _loads is None or b"0" * 19 in raw.translate(_DIGITS):
        return None
    try:
        value = _loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _unpacked(raw: bytes, limit: int) -> bytes:
    """At most so many bytes of what Zstandard packed, by whichever library there is."""
    for module in ("compression.zstd", "backports.zstd"):
        try:
            zstd = import_module(module)
        except ImportError:
            continue
        try:
            return bytes(zstd.ZstdDecompressor().decompress(raw, max_length=limit))
        except zstd.ZstdError as error:
            raise ValueError(error) from None
    try:
        import zstandard
    except ImportError:
        return _unpacked_by_arrow(raw, limit)
    try:
        return bytes(zstandard.ZstdDecompressor().stream_reader(BytesIO(raw)).read(limit))
    except zstandard.ZstdError as error:
        raise ValueError(error) from None


def _unpacked_by_arrow(raw: bytes, limit: int) -> bytes:
    try:
        import pyarrow as pa
    except ImportError:
        raise DataError(
            "This log is packed by Zstandard, which Python reads from 3.14 on: pip install zstandard (or "
            "dfevals[logs]), or write the log as JSON: inspect log convert --to json."
        ) from None
    with pa.CompressedInputStream(pa.BufferReader(raw), "zstd") as stream:
        return bytes(stream.read(limit))


def parsed(raw: bytes, source: Source, member: str = "") -> Any:
    """A document of JSON.

    Raises
    ------
    DataError
        With the file, the line, and why it is none.
    """
    what = f"the member {member!r} " if member else ""
    try:
        return _decode(raw.decode("utf-8-sig"))
    except RecursionError:
        source.wrong(f"{what}is nested too deeply")
    except json.JSONDecodeError as error:
        at_end = error.pos >= len(error.doc.rstrip()) - 1 or error.msg.startswith("Unterminated")
        cut = " (it may be cut off)" if at_end else ""
        source.wrong(f"{what}{_reason(error)}{cut}", error.lineno)
    except ValueError as error:
        source.wrong(f"{what}{_reason(error)}")


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"is no JSON: {error.msg} at column {error.colno:,}"
    text = str(error)
    return "holds a number of thousands of digits" if "digits" in text else f"cannot be read ({text})"


def as_text(value: Any) -> Any:
    """Nested values as JSON text; the rest as it is.

    Examples
    --------
    >>> as_text({"a": [1, None]}), as_text("text"), as_text(1.5)
    ('{"a": [1, null]}', 'text', 1.5)
    """
    return _encode(value) if isinstance(value, dict | list) else value
