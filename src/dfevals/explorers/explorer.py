"""The explorer: one widget whose page holds the counts and whose kernel holds the rows."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anywidget
import pandas as pd
import traitlets

from dfevals import render
from dfevals.exceptions import DfevalsError
from dfevals.explorers import answers, code, copies, rows, twin
from dfevals.explorers.changes import has_changed
from dfevals.explorers.copies import in_notebook
from dfevals.explorers.dimensions import choices, to_plain
from dfevals.explorers.modules import joined, style
from dfevals.explorers.reading import texts
from dfevals.explorers.state import LEVELS, State, checked
from dfevals.explorers.travel import travelling
from dfevals.explorers.view import View
from dfevals.explorers.worker import Cancelled, Worker
from dfevals.words import visible

if TYPE_CHECKING:
    from dfevals.evaluation import Evaluation

__all__ = ["Explorer"]

TAG, RATING = "tag", "rating"
COPY_RESTS = 2.0  # seconds without a change after which copies in the notebook follow


class Explorer(anywidget.AnyWidget):
    """Cohorts, thresholds, errors and rows, linked; made by `ev.explore()`.

    Attributes
    ----------
    state : dict
        Plain JSON; may be set, and `ev.explore(**explorer.state)` restores it. `explorer.observe(f, "state")` calls
        `f(change)` when it changes.
    selection : DataFrame
        The selected rows, with the index of the source.
    code : str
        An expression on the frame's name that gives what is on view.

    Examples
    --------
    >>> import dfevals
    >>> df = dfevals.datasets.load("adult")
    >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
    >>> explorer = ev.explore(by="sex", metric="recall", selection={"cohort": ["Female"]})
    >>> explorer.state["by"], len(explorer.selection)
    (['sex'], 16192)
    >>> print(explorer.code)
    df.evals(y_true='income', y_score={'gbm': 'p_gbm'}, pos_label='>50K').where("sex == 'Female'").frame
    """

    _esm = joined()
    _css = style()
    _info = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True, echo_update=False)

    def __init__(self, evaluation: Evaluation, state: Mapping[str, Any] | None = None) -> None:
        self._view = View(evaluation)
        self._name = uuid4().hex  # by which a copy in a document finds the live page
        given = dict(state or {})
        if "by" in given:
            given["by"] = to_plain(given["by"])
        else:
            given["by"] = self._view.default_by()
        super().__init__(state=self._complete(given), _info=self._about())
        self._worker = Worker()
        self._copies: list[Any] = []  # displays that keep a copy of this explorer
        self._updating: threading.Timer | None = None
        self.on_msg(self._receive)

    # State

    def _complete(self, given: Mapping[str, Any], base: State | None = None) -> State:
        """A whole, valid state of this evaluation."""
        state = checked(given, base)
        if state["metric"] is None:
            state["metric"] = answers.default_metric(self._view)
        state = self._view.complete(state)
        texts.check(self._view, state)
        answers.check_metric(self._view, state["metric"])
        return state

    @traitlets.validate("state")
    def _validate(self, proposal: Mapping[str, Any]) -> State:
        try:
            given = dict(proposal["value"])
            given["by"] = to_plain(given.get("by"))
            return self._complete(given)
        except DfevalsError as error:
            raise traitlets.TraitError(str(error)) from error

    def _about(self) -> dict[str, Any]:
        """What the page must know besides the state: it changes only when the frame does."""
        view = self._view
        bound = view.bound
        return {
            "id": self._name,
            "task": view.task,
            "rows": bound.n,
            "labels": [visible(label) for label in bound.labels],
            "models": [
                {"name": model.name, "threshold": view.has_threshold(model), "predicted": model.y_pred is not None}
                for model in bound.models
            ],
            "metrics": answers.metric_choices(view),
            "views": list(view.views),
            "levels": list(LEVELS),
            "dimensions": choices(bound.frame),
            "columns": list(view.columns),
            "outcomes": [visible(outcome.column) for outcome in bound.roles.outcomes],
            "weighted": bound.weight is not None,
        }

    # What comes back

    @property
    def selection(self) -> pd.DataFrame:
        """The selected rows in the order of the rows pane, with the index of the source."""
        return self._view.bound.frame.iloc[rows.positions(self._view, self.state)]

    @property
    def code(self) -> str:
        """The selected rows as an expression; where nothing is selected, the table of cohorts; of texts the row on view."""
        if self.state["view"] == "text":
            return self.codes["view"]
        selection = self.state["selection"]
        chosen = selection["cohort"] or selection["cell"] or self.state["rows"]["search"]
        return self.codes["rows" if chosen else "table"]

    @property
    def codes(self) -> dict[str, str]:
        """Expressions for the table of cohorts, the tab on view and the selected rows."""
        view, state = self._view, self.state
        return {
            "table": code.table_code(view, state),
            "view": code.view_code(view, state),
            "rows": code.rows_code(view, state),
        }

    @property
    def tags(self) -> pd.Series:
        """Tags given to rows, with the index of the source."""
        return self._marks("tags", TAG)

    @property
    def ratings(self) -> pd.Series:
        """Ratings given to rows: "pass" or "fail", 1 to 5, or "a", "b" or "tie"; with the index of the source."""
        return self._marks("ratings", RATING)

    @property
    def frame(self) -> pd.DataFrame:
        """All rows with the columns `tag` and `rating`, where there are any; missing where a row has none."""
        frame = self._view.evaluation.frame
        for key, name in (("tags", TAG), ("ratings", RATING)):
            at, marks = rows.marked(self._view, self.state[key])
            if at:
                while name in frame.columns:
                    name += "_"
                values = pd.Series([None] * len(frame), index=frame.index, dtype=object)
                values.iloc[at] = marks
                frame[name] = values
        return frame

    def _marks(self, key: str, name: str) -> pd.Series:
        at, marks = rows.marked(self._view, self.state[key])
        return pd.Series(marks, index=self._view.bound.frame.index[at], name=name, dtype=object)

    def to_html(self, path: str | Path | None = None, *, rows: bool = True) -> str | Path:
        """One offline file of what is on view that stays interactive: thresholds, cohorts, curves and comparison answer.

        It draws from counts that travel with it, asks nobody for anything, and starts as this explorer stands. Where
        scripts may not run it shows the static copy.

        Parameters
        ----------
        path : str or Path, optional
            Where to write it; without it the page is returned.
        rows : bool, optional
            Whether the page of rows on view travels too. Without rows the file holds counts and names of cohorts only.

        Returns
        -------
        Path or str
            The path, or the page.

        Examples
        --------
        >>> import dfevals
        >>> df = dfevals.datasets.load("adult")
        >>> ev = df.evals(y_true="income", y_score={"gbm": "p_gbm"}, pos_label=">50K")
        >>> page = ev.explore(by="sex").to_html(rows=False)
        >>> page.startswith("<!DOCTYPE html>"), len(page) < 2_000_000
        (True, True)
        """
        page = copies.page(self._copy(every=True, with_rows=rows), self._twin())
        if path is None:
            return page
        Path(path).write_text(page, encoding="utf-8")
        return Path(path)

    def refresh(self) -> None:
        """Read the source frame again, where it has changed since the explorer was made."""
        source = self._view.evaluation._source()
        if source is None:
            raise DfevalsError("The source frame is gone. Make a new explorer: ev.explore(**explorer.state).")
        from dfevals.evaluation import Evaluation

        self._view = View(Evaluation(source, self._view.evaluation.roles))
        text = {**self.state["text"], "at": None}
        clean: dict[str, Any] = {"selection": None, "text": text, "tags": {}, "ratings": {}}
        try:
            state = self._complete(self.state | clean)
        except DfevalsError:
            state = self._complete({"by": self._view.default_by()})
        with self.hold_trait_notifications():
            self._info = self._about()
            self.state = state
        self.send({"refreshed": True})

    # Messages of the page

    def _receive(self, _: Any, body: Mapping[str, Any], buffers: list[Any]) -> None:
        del buffers
        key = str(body.get("id"))
        if body.get("ask") == "cancel":
            self._worker.cancel(key)
        else:
            self._worker.submit(key, lambda: self._reply(body))

    def _reply(self, body: Mapping[str, Any]) -> None:
        reply: dict[str, Any] = {"id": body.get("id")}
        data: list[bytes] = []
        self.send({"id": body.get("id"), "began": True})  # a kernel that computes is no kernel that is gone
        try:
            found, data = self._answer(str(body.get("ask")), body)
            reply["answer"] = found
            reply["changed"] = has_changed(self._view)
        except Cancelled:
            reply["error"] = "Cancelled."
        except Exception as error:  # shown in the pane that asked; the rest lives
            reply["error"] = visible(f"{type(error).__name__}: {error}")[:600]
        self.send(reply, data)

    def _answer(self, ask: str, body: Mapping[str, Any]) -> tuple[Any, list[bytes]]:
        if ask == "alive":
            return {}, []
        if ask == "refresh":
            self.refresh()
            return {}, []
        if ask == "expression":
            return self._expression(str(body.get("text"))), []
        state = self._complete(body.get("state", {}), self.state)
        if ask == "counts":
            return answers.counts(self._view, state)
        if ask == "rows":
            return rows.page_of(self._view, state), []
        if ask == "cell":
            return self._cell(body), []
        if ask == "code":
            kind = {"table": code.table_code, "view": code.view_code, "rows": code.rows_code}[str(body.get("kind"))]
            return kind(self._view, state), []
        if ask in texts.MORE:
            return texts.MORE[ask](self._view, state, body), []
        if ask in answers.ANSWERS:
            return answers.ANSWERS[ask](self._view, state), []
        raise DfevalsError(f"An explorer has no answer to {ask!r:.40}.")

    def _expression(self, text: str) -> dict[str, Any]:
        """Whether a typed expression is valid, and how many rows it selects."""
        from dfevals.expressions import parse

        return {"rows": int(parse(text).mask(self._view.bound.frame).sum())}

    def _cell(self, body: Mapping[str, Any]) -> str:
        place = self._view.columns[str(body.get("column"))]
        return rows.whole_cell(self._view.bound.frame.iat[int(body.get("at", 0)), place])

    # How it looks without a page

    def _twin(self) -> str:
        try:
            hidden = "rows" if self.state["view"] == "text" else "view"
            static = twin.twin(self._view, self.state, {k: v for k, v in self.codes.items() if k != hidden})
        except Exception as error:  # a broken twin must not keep the widget from showing
            static = f"<p>{render.escape(f'{type(error).__name__}: {error}')}</p>"
        return f'<div data-dfe-of="{self._info["id"]}">{static}</div>'

    def _copy(self, *, every: bool, with_rows: bool = True) -> dict[str, Any]:
        """What a page without a kernel needs; tags and ratings travel with the rows."""
        hidden: dict[str, Any] = {} if with_rows else {"tags": {}, "ratings": {}}
        found = travelling(self._view, self.state | hidden, every=every, with_rows=with_rows)
        return found | {"info": {key: value for key, value in self._info.items() if key != "id"}}

    def _ipython_display_(self, **kwargs: Any) -> None:
        """The widget, and a copy that shows itself where no kernel answers: in a notebook opened again, or exported."""
        from IPython.display import display

        bundle, metadata = self._repr_mimebundle_(**kwargs)
        display(bundle, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]
        if in_notebook():
            copy = display(copies.beside(self, len(self._copies)), display_id=True, raw=True)  # type: ignore[no-untyped-call]
            self._copies.append(copy)

    @traitlets.observe("state")
    def _follow(self, _: Any) -> None:
        """Copies in the notebook follow the state, once it has come to rest."""
        if not getattr(self, "_copies", ()):
            return
        if self._updating is not None:
            self._updating.cancel()
        self._updating = threading.Timer(COPY_RESTS, lambda: self._worker.submit("copies", self._update_copies))
        self._updating.daemon = True
        self._updating.start()

    def _update_copies(self) -> None:
        for at, handle in enumerate(self._copies):
            handle.update(copies.beside(self, at), raw=True)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        found = super()._repr_mimebundle_(**kwargs)
        data, metadata = found if isinstance(found, tuple) else (found or {}, {})
        return {**data, "text/plain": repr(self), "text/html": self._twin()}, metadata

    def __repr__(self) -> str:
        return twin.text(self._view, self.state)
