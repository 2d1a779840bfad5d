"""A prompt with places for columns, as a system under test."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from dfevals.evaluators.clients import Completion, as_client
from dfevals.evaluators.values import is_missing, plain, show
from dfevals.evaluators.written import exactly
from dfevals.exceptions import DataError
from dfevals.words import whole_characters

__all__ = ["PromptTemplate"]


class PromptTemplate:
    """A prompt filled from the cells of a row and sent to a model: a system for `dfevals.run`.

    A place is the name of a column in braces and nothing else, so that a template reads no attribute or item of a
    value. Cells are put in once: braces in them stay as they are. A missing cell is an error of its row.

    Parameters
    ----------
    template : str
        Such as "Translate {text}"; write {{ and }} for braces.
    client : callable, OpenAI-like client, or str
        As in `Judge`: a function of messages or text, an object with `chat.completions.create`, or the address of an
        OpenAI-compatible server.
    model : str, optional
        Passed to the client.
    system : str, optional
        The system's message, sent as it is.
    timeout : float
        Seconds for one call.
    **options
        Passed to the client where it takes options, such as `temperature=0`.

    Attributes
    ----------
    columns : tuple of str
        The places, in order.

    Raises
    ------
    DataError
        When the template is no template, or has a place that is no plain name.

    Examples
    --------
    >>> import pandas as pd
    >>> import dfevals
    >>> shout = PromptTemplate("Shout: {text}", lambda prompt: prompt.upper())
    >>> dfevals.run(pd.DataFrame({"text": ["a {b}"]}), {"shout": shout}, progress=False)["response"].tolist()
    ['SHOUT: A {B}']
    """

    def __init__(
        self,
        template: str,
        client: Any,
        model: str | None = None,
        *,
        system: str | None = None,
        timeout: float = 60.0,
        **options: Any,
    ) -> None:
        self._parts = _parts(template)
        self.template, self.model, self.system = template, model, system
        self.columns = tuple(dict.fromkeys(name for _, name in self._parts if name is not None))
        self.client = as_client(client, timeout)
        self.options = tuple(sorted(options.items()))
        self._asked = exactly(options) or uuid4().hex  # caches know options by this text

    def fill(self, row: Mapping[str, Any]) -> str:
        """The prompt of a row.

        Raises
        ------
        DataError
            When a cell is missing or not there.
        """
        filled = "".join(text + ("" if name is None else _cell(name, row)) for text, name in self._parts)
        return whole_characters(filled)  # servers refuse halves of surrogate pairs

    def __call__(self, row: Mapping[str, Any], seed: int | None = None) -> Completion:
        """Ask the model about a row."""
        if not isinstance(row, Mapping):
            raise DataError("a prompt template is filled from a whole row; rename the column 'row'.")
        messages = [] if self.system is None else [{"role": "system", "content": self.system}]
        messages.append({"role": "user", "content": self.fill(row)})
        return self.client(messages, model=self.model, **dict(self.options), **({} if seed is None else {"seed": seed}))

    def __repr__(self) -> str:
        return f"PromptTemplate({show(self.template)}, {self.client!r}, model={self.model!r})"


def _parts(template: object) -> list[tuple[str, str | None]]:
    """Texts, each with the name of the place after it."""
    if not isinstance(template, str):
        raise DataError(f"template must be a text, found {type(template).__name__}.")
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise DataError(f"template {show(template)}: {error}. Write {{{{ and }}}} for braces.") from None
    for _, name, format_spec, conversion in parsed:
        if name is not None and (not name.strip() or set(".[]") & set(name) or format_spec or conversion):
            place = f"{name}{'!' + conversion if conversion else ''}{':' + format_spec if format_spec else ''}"
            raise DataError(
                f"template place {{{place}}} must be the name of a column and nothing else; write {{{{ and }}}} for braces."
            )
    return [(text, name) for text, name, _, _ in parsed]


def _cell(name: str, row: Mapping[str, Any]) -> str:
    value = plain(row.get(name))
    if is_missing(value):
        raise DataError(f"{name} is missing ({value!r}): the prompt cannot be filled.")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
