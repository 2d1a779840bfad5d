"""Timing for the benchmarks: CPU time of callables in one process, extra peak memory, and the table of ratios."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Row:
    """One comparison: seconds of ours and of the peer, and the ratio that we aim at."""

    what: str
    peer: str
    ours: float
    theirs: float
    target: str = ""

    @property
    def ratio(self) -> float:
        """How many times our time the peer takes."""
        return self.theirs / self.ours


@dataclass(frozen=True)
class Fact:
    """One measured figure without a peer."""

    what: str
    value: str
    target: str = ""


def cpu(function: Callable[[], Any], repeats: int = 3) -> float:
    """Least CPU seconds (user and system, all threads of the process) of a few calls."""
    best = float("inf")
    for _ in range(repeats):
        gc.collect()
        start = time.process_time()
        function()
        best = min(best, time.process_time() - start)
    return best


def extra_peak(function: Callable[[], Any]) -> float:
    """MiB that a call adds to the peak resident memory (Linux)."""
    gc.collect()
    CLEAR.write_text("5")
    before = _status("VmRSS")
    function()
    return _status("VmHWM") - before


def _status(key: str) -> float:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) / 1024


def markdown(rows: list[Row | Fact]) -> str:
    """Tables of ratios and of facts."""
    lines = ["| what | peer | peer, s CPU | dfevals, s CPU | ratio | aim |", "|---|---|---:|---:|---:|---:|"]
    for row in rows:
        if isinstance(row, Row):
            lines.append(
                f"| {row.what} | {row.peer} | {row.theirs:.3f} | {row.ours:.3f} | **{row.ratio:,.1f}×** | {row.target} |"
            )
    facts = [row for row in rows if isinstance(row, Fact)]
    if facts:
        lines += ["", "| measured | value | aim |", "|---|---:|---:|"]
        lines += [f"| {fact.what} | {fact.value} | {fact.target} |" for fact in facts]
    return "\n".join(lines)
