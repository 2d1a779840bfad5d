"""Sources of rows besides a pandas DataFrame: files by format, frames of other libraries, relations of databases."""

from dfevals.columns.sources.reading import to_frame
from dfevals.columns.sources.written import Kind

__all__ = ["Kind", "to_frame"]
