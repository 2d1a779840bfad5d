"""One spelling for one thing: other spellings of a keyword are accepted, and unknown ones are answered with the right one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

from dfevals.exceptions import did_you_mean

__all__ = ["one_spelling", "spelt"]

T = TypeVar("T", bound=type)
SAME = ({"level", "ci"}, {"model", "models"}, {"metric", "metrics"})  # keywords that mean one thing
MEANT = {"groupby": "by"}
SINGULAR = ("model", "metric")


def spelt(name: str, known: Iterable[str]) -> str:
    """The spelling that `known` has for the keyword `name`, else `name` itself.

    Examples
    --------
    >>> spelt("ci", ["by", "level"]), spelt("models", ["model"]), spelt("by", ["by"]), spelt("cost", ["by"])
    ('level', 'model', 'by', 'cost')
    """
    known = list(known)
    if name in known:
        return name
    group: set[str] = next((same for same in SAME if name in same), set())
    return next((other for other in known if other in group), name)


def one_spelling(cls: T) -> T:
    """Class decorator: public methods take every spelling of a keyword; what they do not have is answered with what was meant.

    Signatures stay as they are written, for completion and type checkers.

    Examples
    --------
    >>> @one_spelling
    ... class Asked:
    ...     def calibration(self, by=None, *, level=0.95): return level
    >>> Asked().calibration(ci=0.9)
    0.9
    >>> Asked().calibration(groupby="sex")
    Traceback (most recent call last):
    TypeError: calibration() has no keyword 'groupby'. Did you mean 'by'? Keywords: 'by', 'level'.
    """
    for name, method in list(vars(cls).items()):
        if inspect.isfunction(method) and not name.startswith("_"):
            setattr(cls, name, _spelt(method))
    return cls


def _spelt(method: Callable[..., Any]) -> Callable[..., Any]:
    parameters = inspect.signature(method).parameters.values()
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    named = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    known = [parameter.name for parameter in parameters if parameter.name != "self" and parameter.kind not in named]

    @wraps(method)
    def spelt_method(*args: Any, **keywords: Any) -> Any:
        if all(name in known for name in keywords):
            return method(*args, **keywords)
        return method(*args, **_respelt(method.__name__, keywords, known, open_ended=open_ended))

    return spelt_method


def _respelt(method: str, keywords: dict[str, Any], known: list[str], *, open_ended: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(keywords.get("level"), str) and "scale" in known:  # where ci= stands beside a level= that is a scale
        keywords = {("scale" if name == "level" else name): value for name, value in keywords.items()}
    for name, value in keywords.items():
        right = spelt(name, known)
        if right not in known and not open_ended:
            near = did_you_mean(MEANT.get(name, name), known, noun="Keywords")
            raise TypeError(f"{method}() has no keyword {name!r}. {near}")
        if right != name and right in keywords:
            raise TypeError(f"{method}() got {name}= and {right}=, which say the same. Give one of them.")
        single = right != name and right in SINGULAR and isinstance(value, list | tuple) and len(value) == 1
        found[right] = value[0] if single else value
    return found
