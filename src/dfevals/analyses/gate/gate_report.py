"""The report of a gate: answer, evidence per rule and cohort, proposed action; text, HTML, Markdown, JSON, JUnit."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import pandas as pd

from dfevals import render
from dfevals.columns.codes import ALL, OVERALL
from dfevals.exceptions import DfevalsError, ReleaseBlocked, did_you_mean
from dfevals.results.result import Result
from dfevals.words import estimate, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dfevals.analyses.gate.gate import Gate

__all__ = ["GateResult"]

SIGNS = {"pass": "✓ pass", "fail": "✗ fail", "inconclusive": "? inconclusive"}


class GateResult(Result):
    """Answers of every rule and cohort, and of the gate.

    The gate fails if a rule fails anywhere, is inconclusive if one is, and passes otherwise. Intervals are corrected over
    the cohorts of a rule (Bonferroni), so that they hold together at the level.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        rules: tuple[Gate, ...],
        model: str,
        baseline: str | None,
        level: float,
        *,
        missing: str = "worst",
        notes: Sequence[str] = (),
        cohort_columns: Sequence[str],
        provenance: Any = None,
    ) -> None:
        self.rules, self.model, self.baseline, self.level, self.missing = rules, model, baseline, level, missing
        title = f"Release gate for {model}" + (f" against {baseline}" if baseline else "")
        super().__init__(frame, provenance=provenance, title=title, notes=(), cohort_columns=cohort_columns)
        self._notes = (
            f"Answer: {self.answer}. {self.action}",
            f"Intervals hold together at {level:.0%} over the cohorts of a rule.",
            *notes,
            *self._doubts(),
        )

    def _doubts(self) -> list[str]:
        """What the rows left out mean for the answer."""
        if not self._frame["left_out"].any():
            return []
        if self.missing == "ignore":
            return [
                "Rows are left out, and missing='ignore' takes them to be like the others: nothing here tests that."
            ]
        turned = self._frame[self._frame["turned"]]
        if not len(turned):
            return ["Rows are left out; every pass also holds with all of them on the bad side."]
        return [
            "Rows are left out, and whether they are missing at random is not known. Taken as bad, they keep from passing: "
            f"{self._where(turned)}. missing='ignore' takes them to be like the others."
        ]

    @property
    def answer(self) -> str:
        """ "pass", "fail" or "inconclusive"."""
        answers = set(self._frame["answer"])
        return "fail" if "fail" in answers else "inconclusive" if "inconclusive" in answers else "pass"

    @property
    def action(self) -> str:
        """What to do next, with the evidence."""
        frame = self._frame
        fails = frame[frame["answer"] == "fail"]
        open_ = frame[frame["answer"] == "inconclusive"]
        if self.answer == "pass":
            return "Widen: every rule holds with its whole interval."
        if self.answer == "fail":
            where = self._where(fails)
            passing = self._passing_cohorts()
            if not fails["is_overall"].any() and passing:
                return f"Narrow to the cohorts that pass ({', '.join(passing[:5])}{', …' if len(passing) > 5 else ''}); fails: {where}."
            return f"Roll back: fails {where}."
        if open_["turned"].all():
            return f"Hold and find the values of the rows left out: {self._where(open_)}."
        wanted = open_["n_to_decide"].to_numpy(float)
        known = wanted[np.isfinite(wanted)]
        more = np.nanmax(open_["n_to_decide"] - open_["n"]) if len(known) else np.nan
        amount = f"about {int(more):,} more rows" if np.isfinite(more) and more > 0 else "more rows"
        beyond = (
            ""
            if len(known) == (~open_["turned"]).sum()
            else " (some values lie at their limit or have too few events to plan)"
        )
        lost = " and find the values of the rows left out" if open_["turned"].any() else ""
        return f"Hold and collect {amount}{lost} where it is open: {self._where(open_)}{beyond}."

    def raise_for_status(self) -> GateResult:
        """Return the result if the gate passes.

        Raises
        ------
        ReleaseBlocked
            The gate fails or is inconclusive; the message says where.
        """
        if self.answer != "pass":
            raise ReleaseBlocked(f"The gate for {self.model!r} is {self.answer}. {self.action}")
        return self

    def table(self, max_rows: int = 60, width: int | None = None) -> render.Table:
        """Rules and cohorts with value, interval, answer and the rows that would decide."""
        del width
        order = {"fail": 0, "inconclusive": 1, "pass": 2}
        frame = self._frame.assign(_rank=self._frame["answer"].map(order)).sort_values(
            ["rule_index", "_rank"], kind="stable"
        )
        shown = frame.head(max_rows)
        columns = [render.text_column("rule", shown["rule"].tolist(), header=True, merge=True, wrap=True)]
        columns += [render.text_column(name, shown[name].tolist(), wrap=True) for name in self.cohort_columns]
        places = [
            estimate(v, lo, hi) for v, lo, hi in zip(shown["value"], shown["ci_low"], shown["ci_high"], strict=True)
        ]
        columns.append(render.text_column("answer", [SIGNS[a] for a in shown["answer"]], wrap=True))
        columns.append(render.text_column("value", places, wrap=True))
        columns.append(render.count_column("n", shown["n"].tolist()))
        columns += [render.count_column(name.replace("_", " "), shown[name].tolist()) for name in self._counts()]
        columns.append(
            render.text_column(
                "n that decides", [f"{int(v):,}" if np.isfinite(v) else "" for v in shown["n_to_decide"]], wrap=True
            )
        )
        notes = [str(note) for note in shown["note"]]
        if any(notes):
            columns.append(render.text_column("note", notes, wrap=True))
        more = f"… {len(frame) - len(shown):,} more rows; .frame has all" if len(frame) > len(shown) else ""
        return render.Table(columns, title=f"{SIGNS[self.answer]} — {self.title}", notes=self.notes, more=more)

    def _counts(self) -> list[str]:
        """Counts that a reader needs beside n: rows that carry the value where they are fewer, and rows left out."""
        frame = self._frame
        whole = frame["n"].to_numpy(float) == frame["support"].to_numpy(float)
        return [
            name
            for name, shown in (
                ("support", frame["left_out"].any() and not whole.all()),
                ("left_out", frame["left_out"].any()),
            )
            if shown
        ]

    def plot(self, rule: int | str | None = None, ax: Axes | None = None, **options: Any) -> Any:
        """Draw the interval of each rule and cohort against its limit, coloured by answer.

        Parameters
        ----------
        rule : int or str, optional
            One rule, by its place (from 0) or its text; all rules, one below the other, when absent.
        ax : matplotlib Axes, optional
            For one rule.
        **options
            For `dfevals.plots.gates.draw`.

        Returns
        -------
        Axes, or array of Axes for several rules
        """
        from dfevals.plots import gates, panels

        places = self._rules_shown(rule)
        frames = [self._frame[self._frame["rule_index"] == at] for at in places]
        names = [self._quantity(self.rules[at]) for at in places]
        options = {"cohort_columns": self.cohort_columns, **options}
        if len(frames) == 1:
            return gates.draw(frames[0], ax, **{"quantity": names[0], **options})
        if ax is not None:
            raise DfevalsError(
                f"The gate has {len(frames)} rules, and each has its own axes. Say which: plot(rule=0, ax=ax)."
            )
        shown = [min(len(frame), options.get("limit", 60)) for frame in frames]
        axes = panels.stacked([gates.size(n) for n in shown], dark=options.get("dark"))
        return np.array(
            [
                gates.draw(frame, one, quantity=name, **options)
                for frame, one, name in zip(frames, axes, names, strict=True)
            ]
        )

    def _quantity(self, rule: Gate) -> str:
        return rule.name if rule.vs is None else f"difference in {rule.name} to {rule.vs}"

    def _rules_shown(self, rule: int | str | None) -> list[int]:
        present = self._frame["rule_index"].unique().tolist()
        if rule is None:
            return present
        texts = self._frame.drop_duplicates("rule_index").set_index("rule_index")["rule"]
        found = [at for at in present if rule in (at, texts[at])]
        if not found:
            raise DfevalsError(f"The gate has no rule {rule!r}. {did_you_mean(rule, texts, noun='Rules')}")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Answer, action and evidence as plain values."""
        records = self._frame.drop(columns=["rule_index"]).to_dict("records")
        rows = [{str(k): _plain(v) for k, v in record.items()} for record in records]
        return {
            "answer": self.answer,
            "action": self.action,
            "model": self.model,
            "baseline": self.baseline,
            "level": self.level,
            "missing": self.missing,
            "notes": list(self.notes),
            "rows": rows,
        }

    def to_json(self, path: str | Path | None = None) -> str:
        """The same as JSON text, also written to `path` if given."""
        text = json.dumps(self.to_dict(), ensure_ascii=False, indent=2, allow_nan=False)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def to_junit(self, path: str | Path | None = None) -> str:
        """JUnit XML: one test case per rule and cohort; inconclusive ones are errors, so that no reader takes them for passed."""
        frame = self._frame
        counts = frame["answer"].value_counts()
        head = f'<testsuite name="dfevals gate" tests="{len(frame)}" failures="{counts.get("fail", 0)}" errors="{counts.get("inconclusive", 0)}">'
        said = "\n".join(_clean(note) for note in self.notes)
        body = [
            "  <properties>",
            *(
                f"    <property name={quoteattr(name)} value={quoteattr(_clean(value))}/>"
                for name, value in self._properties()
            ),
            "  </properties>",
            *map(self._case, frame.to_dict("records")),
            f"  <system-out>{escape(said)}</system-out>",
        ]
        text = "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *body, "</testsuite>"])
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def _properties(self) -> list[tuple[str, object]]:
        named = {"model": self.model, "baseline": self.baseline, "level": self.level, "missing": self.missing}
        return [(name, value) for name, value in named.items() if value is not None]

    def _case(self, row: dict[Hashable, Any]) -> str:
        """The test case of one rule and cohort."""
        where = ", ".join(f"{name}={text}" for name, text in self._cohort(row))
        counts = f"n = {row['n']:,}, support = {row['support']:,.10g}, left out = {row['left_out']:,}"
        detail = f"{row['value']:.4g} [{row['ci_low']:.4g}, {row['ci_high']:.4g}], {counts}"
        detail = _clean("; ".join(filter(None, [detail, row["note"]])))
        tag = {"fail": "failure", "inconclusive": "error"}.get(row["answer"])
        body = f"<{tag} message={quoteattr(detail)}/>" if tag else ""
        names = f"classname={quoteattr(self._class_name(row))} name={quoteattr(_clean(where or 'overall'))}"
        return f"  <testcase {names}>{body}<system-out>{escape(detail)}</system-out></testcase>"

    def _class_name(self, row: Mapping[Hashable, Any]) -> str:
        """A rule without full stops, at the last of which build servers cut package from class; its place if it repeats."""
        alike = self._frame.loc[self._frame["rule"] == row["rule"], "rule_index"]
        several = f" (rule {row['rule_index'] + 1})" if alike.nunique() > 1 else ""
        return _clean(row["rule"] + several).replace(".", "\N{ONE DOT LEADER}")

    def _where(self, frame: pd.DataFrame, limit: int = 4) -> str:
        parts = []
        for row in frame.head(limit).to_dict("records"):
            cohort = ", ".join(text for _, text in self._cohort(row))
            parts.append(row["rule"] + (f" for {visible(cohort)}" if cohort else ""))
        return "; ".join(parts) + (f"; … ({len(frame)} in all)" if len(frame) > limit else "")

    def _passing_cohorts(self) -> list[str]:
        """Cohorts of which every rule passes."""
        if not self.cohort_columns:
            return []
        inside = self._frame[~self._frame["is_overall"]]
        found = []
        for _, part in inside.groupby(list(self.cohort_columns), sort=False):
            if (part["answer"] == "pass").all():
                found.append(", ".join(visible(text) for _, text in self._cohort(part.iloc[0])))
        return found

    def _cohort(self, row: Mapping[Hashable, Any] | pd.Series[Any]) -> list[tuple[str, str]]:
        """Columns and values of the cohort of a row; a column that is not in use is left out."""
        used = [] if row["is_overall"] else self.cohort_columns
        return [(name, str(row[name])) for name in used if row[name] not in (ALL, OVERALL)]


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _clean(text: Any) -> str:
    """Text with the characters that XML forbids, and those that turn its direction, made visible: none is lost."""
    return visible(_NOT_XML.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", str(text)))
