"""One's own evaluators: any callable works, and the decorator gives it a name, a direction and a pass mark."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

from dfevals.evaluators.fingerprints import stable_repr
from dfevals.evaluators.protocol import Evaluated, Evaluator, EvaluatorRecord
from dfevals.exceptions import DataError, RoleError, did_you_mean

__all__ = ["FunctionEvaluator", "as_evaluator", "evaluator"]


class FunctionEvaluator(Evaluator):
    """An evaluator made of a function whose parameters name the columns (or roles) that it reads.

    A parameter called `row` receives the whole row as a mapping. A function of one parameter that names no column
    receives the response. Async functions run concurrently.

    Parameters
    ----------
    function : callable
        Returns a number, a truth value, (score, reason), a mapping or an `Evaluated`.
    name, pass_at, better
        As in `evaluator`.
    **columns : str
        Column of each parameter where it differs from the parameter's name.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        pass_at: float | None = None,
        better: str = "higher",
        range: tuple[float, float] = (0.0, 1.0),
        **columns: object,
    ) -> None:
        if better not in ("higher", "lower"):
            raise DataError(f"better={better!r} is not known. Choices: 'higher', 'lower'.")
        self.function = function
        self.is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004
        )
        self.required, self.optional, self.open = _parameters(function)
        name = name or _function_name(function)
        doc = (inspect.getdoc(function) or "").split("\n")[0]
        self.record = EvaluatorRecord(  # type: ignore[misc]
            name=name,
            measures=doc or f"What {name} returns.",
            roles=self.required,
            optional=self.optional,
            range=range,
            better=better,
            pass_at=pass_at,
            family="own",
        )
        self.remote = self.is_async  # type: ignore[misc]
        super().__init__(name=name, pass_at=pass_at, settings={"function": stable_repr(function)}, **columns)
        functools.update_wrapper(self, function, updated=())

    def fingerprint(self) -> str:
        """Text that changes with the function and with the constants that it reads, as they are now."""
        self.settings["function"] = stable_repr(self.function)
        return super().fingerprint()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function as it was written."""
        return self.function(*args, **kwargs)

    def bind(self, **columns: str) -> FunctionEvaluator:
        """The same evaluator reading other columns."""
        return FunctionEvaluator(
            self.function,
            name=self.name,
            pass_at=self.pass_at,
            better=self.better,
            range=self.record.range,
            **{**self.columns, **self.constants, **columns},
        )

    def evaluate_row(self, values: Mapping[str, object]) -> Evaluated:
        """Evaluate one row; missing values are passed on, since the function may want them."""
        try:
            return self.conclude(self._evaluate(**values))
        except (Exception, SystemExit) as error:
            return Evaluated.failed(error)

    def _evaluate(self, **values: Any) -> object:
        result = self.function(**values) if self.open != "positional" else self.function(*values.values())
        if inspect.isawaitable(result):
            return asyncio.run(_await(result))
        return result

    async def evaluate_async(self, values: Mapping[str, object]) -> Evaluated:
        """Evaluate one row of an async function on the running loop."""
        try:
            return self.conclude(await self.function(**values))
        except (Exception, SystemExit) as error:
            return Evaluated.failed(error)

    def sources(self, columns: Sequence[object]) -> dict[str, object]:
        """Columns of the parameters; a single parameter that names no column reads the response."""
        only = self.required[0] if len(self.required) == 1 else None
        bound = only in self.columns or only in self.constants
        if only is not None and not bound and only not in columns and only != "row":
            if "response" not in columns:
                hint = did_you_mean(only, columns, noun="Columns")
                raise RoleError(
                    f"{self.name}: its parameter {only!r} names no column, and there is no column 'response'. {hint}"
                )
            return {**_columns_of(self, columns, skip=only), only: "response"}
        return _columns_of(self, columns, skip="row")

    def _check_role(self, role: str) -> None:
        if self.open != "keywords":
            super()._check_role(role)


def _columns_of(evaluator: FunctionEvaluator, columns: Sequence[object], skip: str) -> dict[str, object]:
    """Resolve all parameters but one."""
    found: dict[str, object] = {}
    for role in (*evaluator.required, *evaluator.optional):
        if role == skip or role in evaluator.constants:
            continue
        column = evaluator.columns.get(role, role)
        if column in columns:
            found[role] = column
        elif role in evaluator.required or role in evaluator.columns:
            hint = did_you_mean(column, columns, noun="Columns")
            raise RoleError(f"{evaluator.name}: {role} column {column!r} is not in the frame. {hint}")
    return found


async def _await(awaitable: Any) -> Any:
    return await awaitable


def _function_name(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", None) or type(function).__name__
    return "evaluation" if name == "<lambda>" else str(name)


def _parameters(function: Callable[..., Any]) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Required and optional parameter names, and how values are handed over."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return ("response",), (), "positional"
    if any(p.kind is p.POSITIONAL_ONLY for p in parameters):
        needed = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
        if len(needed) != 1:
            raise DataError(f"{_function_name(function)} has positional-only parameters; wrap it in a function.")
        return (needed[0].name,), (), "positional"
    plain = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    required = tuple(p.name for p in plain if p.default is p.empty)
    optional = tuple(p.name for p in plain if p.default is not p.empty)
    if not required and not optional:
        raise DataError(f"{_function_name(function)} has no named parameter; name the columns it reads.")
    return required, optional, "names"


@overload
def evaluator(function: Callable[..., Any], /) -> FunctionEvaluator: ...
@overload
def evaluator(
    *,
    name: str | None = None,
    pass_at: float | None = None,
    better: str = "higher",
    range: tuple[float, float] = (0.0, 1.0),
    **columns: object,
) -> Callable[[Callable[..., Any]], FunctionEvaluator]: ...
def evaluator(
    function: Callable[..., Any] | None = None, /, **options: Any
) -> FunctionEvaluator | Callable[[Callable[..., Any]], FunctionEvaluator]:
    """Make an evaluator of a function; its parameters name the columns or roles that it reads.

    Parameters
    ----------
    function : callable
        Returns a number, a truth value, (score, reason), a mapping or an `Evaluated`. May be async.
    name : str, optional
        Name of the columns; the function's name by default.
    pass_at : float, optional
        Pass mark. Without one only truth values pass or fail.
    better : {"higher", "lower"}
        Direction of the score.
    range : (float, float)
        Of the score.
    **columns : str
        Column of a parameter where it differs from the parameter's name.

    Returns
    -------
    FunctionEvaluator

    Examples
    --------
    >>> @evaluator(pass_at=0.5)
    ... def polite(response):
    ...     return "please" in response.lower()
    >>> polite.evaluate(response="Yes, please").passed
    True
    """
    if function is not None:
        return FunctionEvaluator(function)
    return lambda written: FunctionEvaluator(written, **options)


def as_evaluator(value: object) -> Evaluator:
    """An evaluator from an instance, a class, the name of a built-in one, or any callable.

    Raises
    ------
    DataError
        When the value is none of these.
    """
    if isinstance(value, Evaluator):
        return value
    if isinstance(value, str):
        from dfevals.evaluators.records import by_name

        value = by_name(value)
    if isinstance(value, type) and issubclass(value, Evaluator):
        try:
            return value()
        except TypeError as error:
            raise DataError(f"{value.__name__} needs arguments: pass {value.__name__}(…). {error}.") from None
    if callable(value):
        return FunctionEvaluator(value)
    raise DataError(f"{value!r} is not an evaluator: pass an evaluator, its name, or a function.")
