"""The explorer: one widget whose page holds the counts and whose kernel holds the rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import pandas as pd
import traitlets

from dfevals import render
from dfevals.exceptions import DfevalsError
from dfevals.explorers import answers, code, rows, twin
from dfevals.explorers.changes import has_changed
from dfevals.explorers.dimensions import choices, to_plain
from dfevals.explorers.modules import joined, style
from dfevals.explorers.reading import texts
from dfevals.explorers.state import LEVELS, State, checked
from dfevals.explorers.view import View
from dfevals.explorers.worker import Cancelled, Worker
from dfevals.words import visible

if TYPE_CHECKING:
    from dfevals.evaluation import Evaluation

__all__ = ["Explorer"]

TAG, RATING = "tag", "rating"


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
        given = dict(state or {})
        if "by" in given:
            given["by"] = to_plain(given["by"])
        else:
            given["by"] = self._view.default_by()
        super().__init__(state=self._complete(given), _info=self._about())
        self._worker = Worker()
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

    def to_html(self, path: str | Path | None = None) -> str | Path:
        """A self-contained static page of what is on view, without scripts.

        Parameters
        ----------
        path : str or Path, optional
            Where to write it; without it the page is returned.
        """
        page = render.page("Explorer", self._twin())
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
            return twin.twin(self._view, self.state, {k: v for k, v in self.codes.items() if k != hidden})
        except Exception as error:  # a broken twin must not keep the widget from showing
            return f"<p>{render.escape(f'{type(error).__name__}: {error}')}</p>"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        found = super()._repr_mimebundle_(**kwargs)
        data, metadata = found if isinstance(found, tuple) else (found or {}, {})
        return {**data, "text/plain": repr(self), "text/html": self._twin()}, metadata

    def __repr__(self) -> str:
        return twin.text(self._view, self.state)
