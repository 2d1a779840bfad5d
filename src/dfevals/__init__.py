"""Evaluate models where the predictions are: `df.evals` on any pandas DataFrame.

Examples
--------
>>> import dfevals
>>> df = dfevals.datasets.load("adult")
>>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label=">50K")
>>> ev.models
('gbm', 'logistic')
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dfevals.accessor import EvalsAccessor, evaluate, on_polars
from dfevals.version import __version__

if TYPE_CHECKING:
    from dfevals.analyses.gate.gate import Gate as Gate
    from dfevals.cohorts import bins as bins
    from dfevals.cohorts import each as each
    from dfevals.cohorts import period as period
    from dfevals.cohorts import quantiles as quantiles
    from dfevals.cohorts import top as top
    from dfevals.crossval import cross_validate as cross_validate
    from dfevals.evaluation import Evaluation as Evaluation
    from dfevals.evaluators import evaluator as evaluator
    from dfevals.evaluators import run as run
    from dfevals.inference import power as power
    from dfevals.logs import formats as formats
    from dfevals.logs import read_log as read_log
    from dfevals.metrics import metric as metric
    from dfevals.roles.declared import Outcome as Outcome
    from dfevals.roles.declared import Roles as Roles
    from dfevals.saved.tallies import load_tally as load_tally
    from dfevals.tally import Tally as Tally


_LAZY = {
    "bins": "cohorts",
    "each": "cohorts",
    "period": "cohorts",
    "quantiles": "cohorts",
    "top": "cohorts",
    "Evaluation": "evaluation",
    "Gate": "analyses.gate.gate",
    "cross_validate": "crossval",
    "Outcome": "roles",
    "Roles": "roles",
    "Tally": "tally",
    "evaluator": "evaluators",
    "formats": "logs",
    "load_tally": "saved.tallies",
    "metric": "metrics",
    "power": "inference",
    "read_log": "logs",
    "run": "evaluators",
}
_MODULES = ("datasets", "evaluators", "exceptions", "inference", "metrics", "needs", "plots")

__all__ = ["EvalsAccessor", "__version__", "evaluate", *_LAZY, *_MODULES]


on_polars()


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"dfevals.{_LAZY[name]}"), name)
    if name in _MODULES:
        return import_module(f"dfevals.{name}")
    raise AttributeError(f"module 'dfevals' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext dfevals`: the `evals` magics, and the name `dfevals` if it is free."""
    from dfevals.magics import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext dfevals`."""
    from dfevals.magics import unload

    unload(shell)
