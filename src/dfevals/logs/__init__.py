"""Logs of evaluations that other tools wrote: one file per format, one record for each in the registry."""

from __future__ import annotations

from dfevals.logs.reading import read_log
from dfevals.logs.registry import FORMATS, Format, formats

__all__ = ["FORMATS", "Format", "formats", "read_log"]
