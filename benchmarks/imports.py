"""Cost of `import dfevals` against `import pandas`, in fresh processes."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

from harness import Fact


def seconds(statement: str) -> float:
    """CPU seconds of a fresh interpreter that runs a statement."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run(repeats: int = 7) -> list[Fact]:
    """Median of the ratios, pair by pair."""
    seconds("import dfevals")
    ratios = [seconds("import dfevals") / seconds("import pandas") for _ in range(repeats)]
    return [Fact("import dfevals against import pandas, CPU", f"{statistics.median(ratios):.2f}×", "≤ 1.3×")]
