"""Engines read rows: each turns a source and a set of needs into tallies, and hands out the rows of a mask."""

from dfevals.engines.passing import collect, collect_joint

__all__ = ["collect", "collect_joint"]
