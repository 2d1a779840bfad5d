"""What a function or a setting is, as a short text: for cache keys and provenance, without the values it holds."""

from __future__ import annotations

import builtins
import dis
import functools
import hashlib
import inspect
import re
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from dfevals.evaluators.written import exactly

__all__ = ["stable_repr"]

_PLAIN = (str, bytes, int, float, complex, type(None))
_FIXED = (*_PLAIN, tuple, frozenset, re.Pattern, functools.partial)
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_DEEPEST = 6


def stable_repr(value: object) -> str:
    """Text of a setting for fingerprints: callables by name and a hash, never by address and never with what they hold.

    The hash covers the code, its defaults, and the texts, numbers and functions of the same module that it reads from
    its closure, its globals, and the attributes of its object. Lists, dicts and other objects that may change during a
    run are left out, and so is what the code itself sets: a counter must not make a run forget its answers.

    Examples
    --------
    >>> def asking(prompt):
    ...     return lambda question: prompt + question
    >>> stable_repr(asking("Be brief. ")) == stable_repr(asking("Be kind. "))
    False
    """
    if not callable(value) or isinstance(value, type):
        name = getattr(value, "__qualname__", None)
        shown = f"{getattr(value, '__module__', '')}.{name}" if name is not None else repr(value)
        return _ADDRESS.sub("", shown)
    digest = hashlib.sha256("\0".join(_parts(value, set(), 0)).encode()).hexdigest()
    return f"{_name(value)}:{digest[:16]}"


def _name(value: Any) -> str:
    """Module and name of a callable; of its class if it is an object."""
    while isinstance(value, functools.partial):
        value = value.func
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _parts(value: Any, seen: set[int], depth: int) -> Iterator[str]:
    """Everything that a value's behaviour hangs on, as far as it stays the same during a run."""
    if isinstance(value, _PLAIN):
        yield repr(value)
    elif isinstance(value, tuple | frozenset):
        items = value if isinstance(value, tuple) else sorted(value, key=repr)
        yield f"{type(value).__name__} of {len(value)}"
        for item in items:
            yield from _parts(item, seen, depth + 1)
    elif isinstance(value, ModuleType | type):
        yield value.__name__
    elif id(value) in seen or depth > _DEEPEST:
        yield _name(value) if callable(value) else type(value).__qualname__
    else:
        seen.add(id(value))
        yield from _parts_of_object(value, seen, depth)


def _parts_of_object(value: Any, seen: set[int], depth: int) -> Iterator[str]:
    yield _name(value)
    if isinstance(value, functools.partial):
        yield exactly((value.args, value.keywords)) or "not written"  # lists and dicts among them are settings
        for part in (value.func, value.args, tuple(sorted(value.keywords.items()))):
            yield from _parts(part, seen, depth + 1)
    elif inspect.ismethod(value):
        yield from _parts(value.__func__, seen, depth + 1)
        yield from _parts(value.__self__, seen, depth + 1)
    elif isinstance(value, FunctionType):
        yield from _parts_of_function(value, seen, depth)
    elif isinstance(value, re.Pattern):
        yield repr(value)
    elif callable(value) or depth <= 1:
        yield from _parts_of_instance(value, seen, depth)


def _parts_of_function(value: FunctionType, seen: set[int], depth: int) -> Iterator[str]:
    yield _code_text(value.__code__)
    for part in (value.__defaults__, tuple(sorted((value.__kwdefaults__ or {}).items()))):
        yield from _parts(part, seen, depth + 1)
    codes = list(_codes(value.__code__))
    set_here = {name for code in codes for name in _set_by(code)}
    for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
        if name not in set_here and cell is not None:
            with_value = _cell(cell)
            if _counts(with_value, value):
                yield name
                yield from _parts(with_value, seen, depth + 1)
    for name in sorted({name for code in codes for name in code.co_names} - set_here):
        found = value.__globals__.get(name, _ABSENT)
        if found is not _ABSENT and not hasattr(builtins, name) and _counts(found, value):
            yield name
            yield from _parts(found, seen, depth + 1)


_ABSENT = object()


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not set yet
        return None


def _counts(found: Any, reader: Any) -> bool:
    """Whether something that a function reads belongs to its fingerprint: constants, and functions written beside it."""
    if isinstance(found, _FIXED):
        return True
    return isinstance(found, FunctionType) and found.__module__ == reader.__module__


def _parts_of_instance(value: Any, seen: set[int], depth: int) -> Iterator[str]:
    """The class's methods, and the attributes that no method but `__init__` sets."""
    methods = {
        name: method
        for kind in reversed(type(value).__mro__)
        for name, method in vars(kind).items()
        if isinstance(method, FunctionType) and method.__module__ == type(value).__module__
    }
    set_here = set()
    for name, method in sorted(methods.items()):
        yield _code_text(method.__code__)
        if name not in ("__init__", "__post_init__"):
            set_here |= {name for code in _codes(method.__code__) for name in _set_by(code)}
    for name, held in sorted(getattr(value, "__dict__", {}).items()):
        if name not in set_here and (isinstance(held, _FIXED) or callable(held)):
            yield name
            yield from _parts(held, seen, depth + 1)


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A code object and those inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _set_by(code: CodeType) -> set[str]:
    """Names that a code sets outside itself: globals, variables of a closure, attributes."""
    return {
        str(step.argval)
        for step in dis.get_instructions(code)
        if step.opname in ("STORE_GLOBAL", "STORE_DEREF", "STORE_ATTR")
    }


def _code_text(code: CodeType) -> str:
    """Everything in a code object that its behaviour hangs on, inner functions included."""
    constants = [_code_text(c) if isinstance(c, CodeType) else _constant_text(c) for c in code.co_consts]
    return f"{code.co_code.hex()}{code.co_names}{code.co_varnames}{constants}"


def _constant_text(value: object) -> str:
    return repr(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)
