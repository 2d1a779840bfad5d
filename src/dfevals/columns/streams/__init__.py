"""Sources that are read batch by batch, as Arrow tables, without holding all of their rows."""

from dfevals.columns.streams.opening import attributes_of, is_long, opened
from dfevals.columns.streams.reader import Reader
from dfevals.columns.streams.source import Chunk, Source

__all__ = ["Chunk", "Reader", "Source", "attributes_of", "is_long", "opened"]
