"""Keywords that a method does not have: the error names the right one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

from dfevals.exceptions import did_you_mean

__all__ = ["explains_keywords", "meant"]

T = TypeVar("T", bound=type)
MEANT = {"ci": "level", "level": "ci", "groupby": "by"}  # names of one thing that are not spelt alike


def meant(name: str, known: Iterable[str]) -> str:
    """The keyword of `known` that is called `name` elsewhere, else `name` itself.

    Examples
    --------
    >>> meant("ci", ["by", "level"]), meant("ci", ["by", "ci"])
    ('level', 'ci')
    """
    known = list(known)
    other = MEANT.get(name, name)
    return other if name not in known and other in known else name


def explains_keywords(cls: T) -> T:
    """Class decorator: a keyword that a public method does not have is answered with the one that was meant.

    Examples
    --------
    >>> @explains_keywords
    ... class Asked:
    ...     def calibration(self, by=None, *, level=0.95): ...
    >>> Asked().calibration(ci=0.9)
    Traceback (most recent call last):
    TypeError: calibration() has no keyword 'ci'. Did you mean 'level'? Keywords: 'by', 'level'.
    """
    for name, method in list(vars(cls).items()):
        if inspect.isfunction(method) and not name.startswith("_"):
            setattr(cls, name, _explained(method))
    return cls


def _explained(method: Callable[..., Any]) -> Callable[..., Any]:
    parameters = inspect.signature(method).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return method
    known = [name for name in parameters if name != "self"]

    @wraps(method)
    def explained(*args: Any, **keywords: Any) -> Any:
        for name in keywords:
            if name not in known:
                near = did_you_mean(meant(name, known), known, noun="Keywords")
                raise TypeError(f"{method.__name__}() has no keyword {name!r}. {near}")
        return method(*args, **keywords)

    return explained
