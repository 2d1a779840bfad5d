"""Generated code against its tests, run by the user's own runner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from dfevals.evaluators.fingerprints import stable_repr
from dfevals.evaluators.protocol import Evaluated, Evaluator, EvaluatorRecord
from dfevals.evaluators.values import nested, text
from dfevals.exceptions import DataError

__all__ = ["UnitTests"]


class UnitTests(Evaluator):
    """Share of the tests that the response passes, as the user's own runner finds.

    dfevals runs no code by itself: the runner decides where the code runs (a container, a remote sandbox) and for how
    long. Score in [0, 1]; pass mark 1.

    Parameters
    ----------
    runner : callable
        `runner(response, tests)` → truth value, share, (passed, total), or a list of truth values. `tests` is the cell
        of the role `reference`, or None.
    max_concurrency : int
        Runners at once.
    timeout : float, optional
        Seconds for one row; a runner that takes longer is an error of that row.
    **common
        `name`, `pass_at`, and the columns of the roles `response` and `reference`.

    Examples
    --------
    >>> def runner(response, tests):
    ...     return [name in response for name in tests]
    >>> UnitTests(runner).evaluate(response="def add(): ...", reference=["add", "sub"]).score
    0.5
    """

    record: ClassVar[EvaluatorRecord] = EvaluatorRecord(
        name="unit_tests",
        measures="Share of the tests that generated code passes (run by the user's runner).",
        roles=("response",),
        optional=("reference",),
        weaknesses="As good as the tests; isolation is the runner's business.",
        accuracy="The runner's.",
        family="structured",
    )
    remote: ClassVar[bool] = True

    def __init__(
        self,
        runner: Callable[[str, Any], Any],
        *,
        max_concurrency: int = 4,
        timeout: float | None = None,
        **common: Any,
    ) -> None:
        if not callable(runner):
            raise DataError(f"runner must be a function (response, tests) → result, found {type(runner).__name__}.")
        super().__init__(settings={"runner": stable_repr(runner)}, **common)
        self.runner, self.max_concurrency, self.row_timeout = runner, max_concurrency, timeout

    def _evaluate(self, response: object, reference: object = None) -> Evaluated:
        tests = nested(reference) if isinstance(reference, np.ndarray) else reference  # a list, read from Parquet
        found = self.runner(text("response", response), tests)
        found = found.tolist() if isinstance(found, np.ndarray | np.generic) else found
        if isinstance(found, tuple) and len(found) == 2:
            passed, total = int(found[0]), int(found[1])
        elif isinstance(found, list):
            passed, total = sum(bool(one) for one in found), len(found)
        elif isinstance(found, bool):
            passed, total = int(found), 1
        elif isinstance(found, float) and 0 <= found <= 1:
            return Evaluated(found, None, f"{found:.0%} of the tests")
        else:
            raise DataError(f"the runner must return a truth value, share, (passed, total) or list, found {found!r}.")
        if total == 0:
            raise DataError("the runner ran no test.")
        if not 0 <= passed <= total:
            raise DataError(f"the runner returned {passed} passed of {total} tests.")
        return Evaluated(passed / total, None, f"{passed} of {total} tests passed")
