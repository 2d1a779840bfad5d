"""What `ev.compare` returns: the tests, the rows behind them, ranks of many models, and their charts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from dfevals import render, words
from dfevals.analyses.compare.aligned import Aligned, Pair
from dfevals.analyses.compare.leaderboard import Leaderboard, critical_difference
from dfevals.cohorts import Cohorts
from dfevals.exceptions import CohortError, DfevalsError, RoleError, check_choice, did_you_mean
from dfevals.render.plain_tables import left_out, whisker_axis
from dfevals.results.result import Result
from dfevals.results.tidy import framed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ComparisonResult", "Discordance"]

Bools = npt.NDArray[np.bool_]
REST = "the rest"  # the other side of a comparison with the complement
PLOTS = ("forest", "discordant", "ranks", "folds", "posterior")


@dataclass(frozen=True)
class Discordance:
    """Which rows two models get right: counted by the joint tally, and found again from the frame when rows are asked for."""

    both: Pair

    @property
    def pair(self) -> Aligned:
        """The two on the same rows."""
        return self.both.aligned

    @property
    def cohorts(self) -> Cohorts:
        """The cohorts."""
        return self.both.cohorts

    def right(self, j: int) -> Bools:
        """Rows that contender j gets right; without classes, rows that pass, where there is one outcome."""
        if not self.pair.bounds[0].classifies:
            return self._passed(j) == 1
        truth = self.pair.of(0, "y_true", lambda block: block.y_true)
        found: Bools = truth == self.pair.of(j, "y_pred", lambda block: block.y_pred)
        return found

    def judged(self) -> Bools:
        """Rows with a verdict for both."""
        if self.pair.bounds[0].classifies:
            return np.ones(len(self.pair.kept), bool)
        found: Bools = ~np.isnan(self._passed(0)) & ~np.isnan(self._passed(1))
        return found

    def _passed(self, j: int) -> npt.NDArray[np.float64]:
        outcomes = self.pair.bounds[0].roles.outcomes
        if self.pair.bounds[0].task != "outcomes" or len(outcomes) != 1:
            raise DfevalsError("Rows are right or wrong for classes or one outcome only; this evaluation has neither.")
        name = outcomes[0].column
        return self.pair.of(j, ("passed", name), lambda block: block.passed(name))

    def counts(self) -> pd.DataFrame:
        """Rows by who gets them right, overall and per cohort."""
        table = self._by_atom()
        rows = np.stack([table.sum(axis=0), *(table[members].sum(axis=0) for members in self.cohorts.atoms)])
        if not self.cohorts.n_cohorts:
            rows = rows[:1]
        columns: dict[str, Any] = {"a": self.pair.names[0], "b": self.pair.names[1]}
        columns |= {"both_right": rows[:, 3], "fixed": rows[:, 2], "broken": rows[:, 1], "both_wrong": rows[:, 0]}
        return framed(self.cohorts, np.arange(len(rows)), columns | {"n": rows.sum(axis=1)})

    def _by_atom(self) -> npt.NDArray[np.intp]:
        """Rows that none, the second, the first and both get right, per atom."""
        if self.pair.bounds[0].classifies:
            found = self.both.joint
            atoms, weight = found.cohort, found.rows
            kind = 2 * (found.y_true == found.first).astype(np.intp) + (found.y_true == found.second)
        else:
            judged = self.judged()
            atoms, weight = self.both.atoms[judged].astype(np.intp), None
            kind = (2 * self.right(0).astype(np.intp) + self.right(1))[judged]
        table = np.bincount(atoms * 4 + kind, weight, 4 * self.cohorts.n_atoms)
        return np.rint(table).astype(np.intp).reshape(-1, 4)

    def rows(self, kind: str, cohort: Any = None) -> pd.DataFrame:
        """The rows themselves."""
        a, b = self.right(0), self.right(1)
        wanted = (a & ~b if kind == "fixed" else b & ~a) & self.judged()
        if cohort is not None:
            member = np.zeros(self.cohorts.n_atoms, bool)
            member[self.cohorts.atoms[_cohort_of(self.cohorts, cohort)]] = True
            wanted = wanted & member[self.pair.codes(self.cohorts.codes)]
        found: pd.DataFrame = self.pair.frame.iloc[self.pair.kept[wanted]]
        return found


def _cohort_of(cohorts: Cohorts, cohort: Any) -> int:
    """The cohort that a label, a description or a tuple of labels means."""
    texts = tuple(map(str, cohort)) if isinstance(cohort, tuple | list) else None
    matches = []
    for i in range(cohorts.n_cohorts):
        own = tuple(str(label[i]) for label in cohorts.labels)
        if own == texts or (texts is None and (str(cohort) == cohorts.describe(i) or str(cohort) in own)):
            matches.append(i)
    if len(matches) == 1:
        return matches[0]
    known = [cohorts.describe(i) for i in range(cohorts.n_cohorts)]
    if matches:
        raise CohortError(
            f"{cohort!r} is part of {len(matches)} cohorts. Name one: {', '.join(map(repr, (known[i] for i in matches[:4])))}."
        )
    raise CohortError(f"There is no cohort {cohort!r}. {did_you_mean(cohort, known, noun='Cohorts')}")


class ComparisonResult(Result):
    """Differences with their intervals, tests and verdicts.

    `frame`: cohort columns, `metric, a, b, value_a, value_b, difference, ci_low, ci_high, test, statistic, p_value,
    p_corrected, verdict, n, note, is_overall`; difference = first − second.

    Attributes
    ----------
    paired : bool
        Whether both sides are judged on the same rows (or folds).
    why : str
        Paired or unpaired, and why.
    """

    _tab = "compare"

    def __init__(
        self,
        frame: pd.DataFrame,
        *,
        provenance: Any = None,
        title: str = "",
        notes: Sequence[str] = (),
        cohort_columns: Sequence[str] = (),
        paired: bool = True,
        why: str = "",
        level: float = 0.95,
        discordances: Sequence[Discordance] = (),
        board: Leaderboard | None = None,
        mix: Callable[[], pd.DataFrame] | None = None,
        margins: Mapping[str, float] | None = None,
        few: Any = None,
        support: Any = None,
        facts: Sequence[str] | None = None,
    ) -> None:
        super().__init__(frame, provenance=provenance, title=title, notes=notes, cohort_columns=cohort_columns)
        self.paired, self.why = paired, why
        self._level, self._discordances, self._board, self._mix = level, tuple(discordances), board, mix
        self._margins = dict(margins or {})
        self._folds: Any = None
        self._few = np.zeros(len(frame), bool) if few is None else np.asarray(few, bool)
        self._support = np.full(len(frame), np.nan) if support is None else np.asarray(support, float)
        self._facts = tuple(notes if facts is None else facts)  # the notes that are not about p-values

    def _focus(self) -> dict[str, Any]:
        found = super()._focus()
        if len(self._frame):
            found |= {"model": str(self._frame["a"].iloc[0]), "against": str(self._frame["b"].iloc[0])}
        return found

    # Rows

    @cached_property
    def discordant(self) -> pd.DataFrame:
        """Rows that both, only the first (`fixed`), only the second (`broken`) or neither gets right, per cohort."""
        if not self._discordances:
            raise DfevalsError(
                "Discordant rows exist where models of classes are compared on the same rows: ev.compare(..., unit='rows')."
            )
        return pd.concat([d.counts() for d in self._discordances], ignore_index=True)

    def rows(self, kind: str, cohort: Any = None, *, a: Any = None, b: Any = None) -> pd.DataFrame:
        """Rows on which exactly one of the two models is right.

        Parameters
        ----------
        kind : {"fixed", "broken"}
            "fixed": the first model is right and the second wrong; "broken": the other way round.
        cohort : str or tuple, optional
            A cohort's label ("Female"), its description ("sex = Female, race = Black"), or a tuple of labels.
        a, b : str, optional
            The pair, where there are several.

        Returns
        -------
        DataFrame
            Rows of the frame, with all columns and their index.
        """
        check_choice("kind", kind, ("fixed", "broken"), DfevalsError)
        if not self._discordances:
            self.discordant  # noqa: B018 (raises with the reason)
        return self._pair(a, b).rows(kind, cohort)

    def _pair(self, a: Any, b: Any) -> Discordance:
        names = [d.pair.names for d in self._discordances]
        if a is None and b is None:
            return self._discordances[0]
        wanted = {str(n) for n in (a, b) if n is not None}
        found = [d for d in self._discordances if wanted <= set(d.pair.names)]
        if not found:
            raise RoleError(f"{sorted(wanted)} were not compared. Pairs: {', '.join(' and '.join(n) for n in names)}.")
        return found[0]

    # Many models

    @property
    def ranks(self) -> pd.DataFrame:
        """`metric, model, value, rank, mean_rank, n_blocks`: ranks overall, and mean ranks over folds or cohorts."""
        return self._many().ranks.copy()

    @property
    def omnibus(self) -> pd.DataFrame:
        """Tests that all models are alike: Cochran's Q on rows, Friedman (with Iman–Davenport's F) over folds or cohorts."""
        return self._many().omnibus.copy()

    @property
    def winner(self) -> pd.DataFrame:
        """The best model per metric, its value, and the value corrected for having been selected (cross-fitted)."""
        return self._many().winner.copy()

    def nemenyi(self, metric: str | None = None, alpha: float = 0.05) -> Any:
        """Nemenyi's comparison of mean ranks over folds or cohorts (`.critical_difference`, `.groups`)."""
        board = self._many()
        name = self._metric(metric)
        if name not in board.blocks or len(board.blocks[name]) < 2:
            raise DfevalsError(
                f"Ranks of {name!r} need at least two blocks: folds (role fold=) or cohorts that do not overlap (by=)."
            )
        return critical_difference(board, name, alpha)

    @property
    def critical_difference(self) -> float:
        """Mean ranks of the first metric further apart than this differ at .05 (Nemenyi)."""
        return float(self.nemenyi().critical_difference)

    def matrix(self, metric: str | None = None, values: str = "p_corrected") -> pd.DataFrame:
        """A column of the frame as a matrix of model against model, overall.

        `difference`, `ci_low`, `ci_high` and `statistic` have the opposite sign below the diagonal.
        """
        part = self._frame[(self._frame["metric"] == self._metric(metric)) & self._frame["is_overall"]]
        check_choice("values", values, [c for c in part.columns if c not in ("a", "b")], DfevalsError)
        names = list(dict.fromkeys([*part["a"], *part["b"]]))
        numeric = pd.api.types.is_numeric_dtype(part[values])
        out = pd.DataFrame(np.nan if numeric else "", index=names, columns=names, dtype=float if numeric else object)
        swapped = {"ci_low": "ci_high", "ci_high": "ci_low", "value_a": "value_b", "value_b": "value_a"}.get(
            values, values
        )
        sign = -1 if values in ("difference", "ci_low", "ci_high") else 1
        for row in part.to_dict("records"):
            out.loc[row["a"], row["b"]] = row[values]
            out.loc[row["b"], row["a"]] = row[swapped] * sign if numeric else row[swapped]
        return out

    def _many(self) -> Leaderboard:
        if self._board is None:
            raise DfevalsError("Ranks need more than two models: ev.compare() compares all of them.")
        return self._board

    def _metric(self, metric: str | None) -> str:
        names = list(dict.fromkeys(self._frame["metric"]))
        if metric is None:
            return str(names[0])
        check_choice("metric", metric, names, DfevalsError)
        return metric

    # Change of the mix

    @cached_property
    def mix(self) -> pd.DataFrame:
        """The overall difference split into change within cohorts and change of their mix (Kitagawa 1955)."""
        return pd.DataFrame() if self._mix is None else self._mix()

    # Folds

    def posterior(self, metric: str | None = None, rope: float = 0.01) -> Any:
        """Bayesian correlated t test over folds (Corani and Benavoli 2015): `.p_a`, `.p_rope`, `.p_b`.

        `p_a` is the probability that the first is better: lower by a loss, nearer to 0 or 1 by a metric that has such a
        target (the difference is then that of the distances), greater by a metric without a direction.

        Parameters
        ----------
        metric : str, optional
        rope : float
            Differences up to this size do not matter.
        """
        from dfevals.inference.folds import bayesian_correlated_ttest

        folds, values, betters = self._of_folds()
        name = self._metric(metric)
        at, row, better = list(betters).index(name), self._frame.iloc[0], betters[name]
        a, b = values[row["a"]][at, 0], values[row["b"]][at, 0]
        if better in ("zero", "one"):
            a, b, better = np.abs(a - (better == "one")), np.abs(b - (better == "one")), "lower"
        n_train = np.maximum(folds.n_train, 1)
        return bayesian_correlated_ttest(
            a - b, n_train, folds.n_test, rope, self._level, better, repeats=folds.n_repeats
        )

    def _of_folds(self) -> Any:
        if self._folds is None:
            raise DfevalsError("Folds are compared where the frame has them: pass fold='…' and leave unit= out.")
        return self._folds

    # How it looks

    def table(self, max_rows: int = 60, width: int | None = None) -> render.Table:
        """One row per cohort, metric and pair: values, difference with interval, p and verdict."""
        del width
        frame = (
            self._frame.sort_values("is_overall", ascending=False, kind="stable")
            if self._cohort_columns
            else self._frame
        )
        head = frame.head(max_rows)
        rest = bool((frame["b"] == REST).all())
        several = len(set(zip(frame["a"], frame["b"], strict=True))) > 1 and not rest
        columns = [render.text_column(name, head[name], header=True, merge=True) for name in self._cohort_columns]
        if frame["metric"].nunique() > 1:
            columns.append(render.text_column("metric", head["metric"], header=True))
        if several:
            columns += [render.text_column("a", head["a"]), render.text_column("b", head["b"])]
        columns.append(render.count_column("n", head["n"]))
        names = ("a", "b") if several else ("cohort" if rest else str(frame["a"].iloc[0]), str(frame["b"].iloc[0]))
        decimals = 3
        for name, key in zip(names, ("value_a", "value_b"), strict=True):
            label = f"value {name}" if several else name
            columns.append(render.number_column(label, head[key], lambda v: words.number(v, decimals)))
        columns.append(self._difference(head))
        columns.append(render.number_column("p", head["p_value"], words.p_value))
        if (self._frame["p_corrected"] != self._frame["p_value"]).any():
            columns.append(render.number_column("p corrected", head["p_corrected"], words.p_value))
        columns.append(
            render.text_column("verdict", [self._verdict(r) for r in head[["verdict", "note"]].to_dict("records")])
        )
        if frame["test"].nunique() > 1 and not self._cohort_columns:
            columns.append(render.text_column("test", head["test"]))
        tests = list(dict.fromkeys(frame["test"]))
        detail = f"difference = first − second, {self._level:.0%} intervals" + (
            f"; {tests[0]}" if len(tests) == 1 else ""
        )
        return render.Table(
            columns,
            title=self.title + ("" if several else f": {names[0]} − {names[1]}" if not self._varies() else ""),
            detail=detail,
            notes=[*self.notes, *self._tests(), *self._extra_notes()],
            apart=frozenset(np.flatnonzero(head["is_overall"].to_numpy(bool)).tolist() if self._cohort_columns else []),
            more=left_out(len(frame) - len(head), "row"),
        )

    def _tests(self) -> list[str]:
        """Which test belongs to which metric, where the table has no column for it."""
        if self._frame["test"].nunique() < 2 or not self._cohort_columns:
            return []
        tests = self._frame.groupby("test", sort=False)["metric"].unique()
        return ["Tests: " + "; ".join(f"{', '.join(metrics)}: {test}" for test, metrics in tests.items()) + "."]

    def _varies(self) -> bool:
        return self._frame["a"].nunique() > 1

    def _difference(self, head: pd.DataFrame) -> render.Column:
        gap, low, high = (head[name].to_numpy(float) for name in ("difference", "ci_low", "ci_high"))
        start, stop = np.full(len(head), np.nan), np.full(len(head), np.nan)
        for metric in head["metric"].unique():
            rows = (head["metric"] == metric).to_numpy()
            ends = whisker_axis(gap[rows], low[rows], high[rows])
            start[rows], stop[rows] = np.fmin(ends[0], 0.0), np.fmax(ends[1], 0.0)
        return render.estimate_column("difference", gap, low, high, axis=(start, stop), reference=0.0)

    @staticmethod
    def _verdict(row: Mapping[Hashable, str]) -> str:
        return row["verdict"]

    def _extra_notes(self) -> list[str]:
        found = []
        reasons: dict[str, int] = {}
        for note in self._frame["note"]:
            for text in filter(None, str(note).split("; ")):
                reasons[text] = reasons.get(text, 0) + 1
        found += [f"{text} ({count} row{'s' * (count > 1)})." for text, count in list(reasons.items())[:6]]
        if self._board is not None and len(self._board.winner):
            found += [
                f"{name} does no better than one answer for every row: its accuracy is no merit."
                for name in self._board.idle
            ]
            real = self._board.winner[~self._board.winner["winner"].isin(self._board.idle)]
            found += self._best(real)
        return found

    @staticmethod
    def _best(winners: pd.DataFrame) -> list[str]:
        found = []
        for _, top in winners.head(1).iterrows():
            found.append(
                f"Best by {top['metric']}: {top['winner']} with {top['value']:.4g}; judged on rows that did not choose it "
                f"{top['corrected']:.4g} (see .winner, .ranks, .omnibus)."
            )
        return found

    def plot(
        self, kind: str | None = None, *, metric: str | None = None, ax: Axes | None = None, **options: Any
    ) -> Any:
        """Draw the comparison.

        Parameters
        ----------
        kind : {"forest", "discordant", "ranks", "folds", "posterior"}, optional
            A forest of differences with verdict colours (default); rows fixed and broken per cohort; the
            critical-difference diagram; differences per fold; the posterior with its region of practical equivalence.
        metric : str, optional
            The first when absent.
        ax : matplotlib Axes, optional
        **options
            `rope=` for the posterior; otherwise of the drawing function.
        """
        kind = "forest" if kind is None else kind
        check_choice("kind", kind, PLOTS, DfevalsError)
        name = self._metric(metric)
        if kind == "discordant":
            from dfevals.plots.comparison import draw_discordant

            return draw_discordant(self.discordant, ax, cohort_columns=self.cohort_columns, **options)
        if kind == "ranks":
            from dfevals.plots.ranks import draw as draw_ranks

            return draw_ranks(self.nemenyi(name), self._many().names, ax, title=name, **options)
        if kind == "posterior":
            from dfevals.plots.posterior import draw as draw_posterior

            first = self._frame.iloc[0]
            rope = options.pop("rope", 0.01)
            return draw_posterior(self.posterior(name, rope), (first["a"], first["b"]), ax, title=name, **options)
        if kind == "folds":
            from dfevals.plots.folds import draw as draw_folds

            return draw_folds(self._fold_frame(name), ax, **options)
        from dfevals.plots.comparison import draw

        frame = self._frame[self._frame["metric"] == name]
        options = {"margin": self._margins.get(name), **options}
        return draw(frame, ax, cohort_columns=self.cohort_columns, level=self._level, **options)

    def _fold_frame(self, metric: str) -> pd.DataFrame:
        folds, values, betters = self._of_folds()
        at = list(betters).index(metric)
        parts = [
            pd.DataFrame({"fold": folds.names, "model": model, "metric": metric, "value": v[at, 0]})
            for model, v in values.items()
        ]
        return pd.concat(parts, ignore_index=True)
