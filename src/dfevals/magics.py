"""The notebook's door: `%evals` and `%%evals`, their help and their completion."""

from __future__ import annotations

import argparse
import inspect
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import pandas as pd
from IPython.core.error import UsageError

from dfevals import metrics
from dfevals.accessor import evaluate
from dfevals.analyses.gate.gate import Gate
from dfevals.evaluation import Evaluation, questions
from dfevals.exceptions import DfevalsError, did_you_mean
from dfevals.keywords import spelt
from dfevals.roles.declared import PerModel
from dfevals.roles.records import BY_MODEL, COLUMN, roles_of
from dfevals.roles.written import OPTIONS, cohorts_of, roles_in

__all__ = ["COMMANDS", "Command", "complete", "evals", "load", "unload"]


@dataclass(frozen=True)
class Command:
    """One question that `%evals` can ask: a method of Evaluation, whose parameters become options."""

    name: str
    prints: bool = True

    @property
    def help(self) -> str:
        """What it answers: the first line of the method's documentation."""
        return (inspect.getdoc(getattr(Evaluation, self.name)) or "").partition("\n")[0].rstrip(".").replace("`", "")

    @property
    def parameters(self) -> frozenset[str]:
        """Parameters of the method."""
        return frozenset(inspect.signature(getattr(Evaluation, self.name)).parameters)

    @property
    def roles(self) -> dict[str, dict[str, Any]]:
        """Roles as options, without those whose names the method has for itself."""
        return {name: settings for name, settings in OPTIONS.items() if name not in self.parameters}

    @property
    def places(self) -> tuple[str, ...]:
        """Options that words after the rows stand for: the two models, the metrics, the raters, or how many rows."""
        first = [name for name in inspect.signature(getattr(Evaluation, self.name)).parameters if name != "self"]
        for names in (("a", "b"), ("metrics",), ("raters",), ("judge", "human"), ("n",)):
            if tuple(first[: len(names)]) == names:
                return names
        return ()


#: Questions that a line cannot ask: a tally is made to be kept and added up.
WITHOUT = ("collect",)
COMMANDS = {name: Command(name) for name in questions() if name not in WITHOUT}


def _number_or_column(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


_WORDS: dict[str, Any] = {"nargs": "+", "metavar": "NAME"}


_OPTIONS: dict[str, dict[str, Any]] = {
    "judge": {"metavar": "COLUMN", "help": "verdicts or scores of all rows"},
    "human": {"metavar": "COLUMN", "help": "labels of a few rows"},
    "positive": {"metavar": "VALUE", "help": "the label that counts as 1"},
    "probability": {"metavar": "COLUMN", "help": "chance with which each labelled row was picked"},
    "metrics": {**_WORDS, "help": "names of metrics; the default set of the task when absent"},
    "by": {"nargs": "+", "metavar": "COHORTS", "help": "columns (their intersections), or 'bins(age, [30, 50])' …"},
    "models": {**_WORDS, "help": "which models; all when absent"},
    "model": {"metavar": "NAME", "help": "which model; the first when absent"},
    "a": {"metavar": "NAME", "help": "first model of the comparison"},
    "b": {"metavar": "NAME", "help": "second model of the comparison"},
    "n": {"type": int, "help": "how many rows"},
    "by_class": {"action": "store_true", "help": "one row per class"},
    "interval": {"metavar": "METHOD", "help": "method of the intervals, such as wilson or bootstrap"},
    "n_resamples": {"type": int, "help": "of the bootstrap"},
    "random_state": {"type": int, "help": "seed of the bootstrap"},
    "relative_to": {"choices": ["overall", "complement"], "help": "add the difference to all or to the other rows"},
    "pooled": {"action": "store_true", "help": "add values drawn towards the centre of all cohorts"},
    "columns": {**_WORDS, "help": "which columns; all that are no keys when absent"},
    "period": {"metavar": "GRAIN", "help": "the latest day, week, month … against all before"},
    "min_effect": {"type": float, "help": "the least distance that matters, from 0 to 1"},
    "min_n": {"type": int, "help": "fold cohorts with fewer rows into one"},
    "baseline": {"metavar": "NAME", "help": "the model to compare with"},
    "bins": {"type": int, "help": "number of bins"},
    "strategy": {"metavar": "NAME", "help": "how scores are put into bins: corp, quantile, uniform or smooth"},
    "kind": {"metavar": "NAME", "help": "of several classes: confidence, top-label or class-wise"},
    "rules": {
        "nargs": "+",
        "action": "extend",
        "required": True,
        "metavar": "RULE",
        "help": "'recall >= 0.8', or 'fail_rate no worse than baseline by more than 0.01'; quote each",
    },
    "missing": {"choices": ["worst", "ignore"], "help": "what rows left out mean: on the bad side, or like the others"},
    "level": {"type": float, "help": "level of the intervals, such as 0.9; of rules, that at which they hold together"},
    "scale": {"choices": ["nominal", "ordinal", "interval", "ratio"], "help": "kind of the ratings"},
    "raters": {**_WORDS, "help": "columns or models; the outcomes when absent"},
    "band": {"metavar": "NAME", "help": "kind of the band, or none"},
    "max_fpr": {"type": float, "metavar": "RATE", "help": "area up to this false positive rate"},
    "quantiles": {"type": int, "metavar": "K", "help": "number of bins of equal size"},
    "value": {"type": _number_or_column, "help": "what a response brings: a number, or a column of amounts"},
    "cost": {"type": float, "help": "what a contact costs"},
    "fixed_cost": {"type": float, "help": "what the campaign costs"},
    "objective": {"metavar": "GOAL", "help": "what the best threshold is best for: f1, youden, 'precision>=0.9' …"},
    "thresholds": {"type": int, "metavar": "K", "help": "about how many thresholds"},
    "test": {"metavar": "NAME", "help": "the test, such as mcnemar; chosen by the data when absent"},
    "correction": {"metavar": "NAME", "help": "of the p-values: holm, fdr_bh …, or none"},
    "reference": {"metavar": "GROUP", "help": "the group that others are compared with, or overall"},
    "to": {"metavar": "NAME"},
    "column": {"metavar": "COLUMN"},
    "predict": {"metavar": "NAME"},
    "features": {**_WORDS, "help": "columns that the function gets"},
    "rates": {"choices": ["half", "reference", "own"], "help": "what a change of shares is valued with"},
    "criterion": {"metavar": "NAME", "help": "what is to be equal: demographic_parity, equal_opportunity, …"},
    "criteria": {**_WORDS, "help": "criteria of fairness, or metrics; all when absent"},
    "max_depth": {"type": int, "help": "conditions of a slice at most"},
    "min_share": {"type": float, "help": "share of the rows that a slice has at least"},
    "inference": {"choices": ["max-t", "confirm", "bh"], "help": "how p-values allow for the search"},
    "top": {"type": int, "help": "how many slices are shown"},
    "redundant": {"action": "store_true", "help": "keep slices that add nothing to those above them"},
    "direction": {"choices": ["worse", "better", "both"], "help": "on which side of the rest, or which changes"},
    "embeddings": {"metavar": "COLUMN", "help": "column of vectors whose clusters are one more feature"},
    "margin": {"type": float, "help": "differences within it count as equivalent"},
    "unit": {"metavar": "COLUMN", "help": "pairs the rows of the two models"},
    "against": {"metavar": "ROWS", "help": "complement: one model, each cohort against the other rows"},
    "difference": {"type": float, "help": "the difference to be found"},
    "power": {"type": float, "help": "chance of finding it, such as 0.8"},
    "alpha": {"type": float, "help": "size of the test, such as 0.05"},
    "correct_for_cohorts": {"action": "store_true", "help": "divide alpha among the cohorts"},
    "metric": {"metavar": "NAME", "help": "what the models are ranked by"},
    "default": {"metavar": "NAME", "help": "model of the cohorts without evidence"},
    "n_splits": {"type": int, "help": "splits for an honest estimate of the gain"},
    "method": {"metavar": "NAME", "help": "sigmoid, isotonic, temperature, beta or venn-abers"},
    "cv": {"type": int, "metavar": "K", "help": "number of folds"},
}
_OTHER_ROWS: dict[str, Any] = {"required": True, "metavar": "NAME"}
_OF_COMMAND: dict[tuple[str, str], dict[str, Any]] = {
    ("corrected", "method"): {"metavar": "NAME", "help": "ppi, rogan-gladen or human (the labels alone)"},
    ("thresholds", "cost"): {"nargs": "+", "help": "fp=1 fn=5, or a column of amounts"},
    ("flip", "column"): {**_OTHER_ROWS, "help": "the column whose value is changed"},
    ("flip", "predict"): {
        **_OTHER_ROWS,
        "help": "the function that predicts: a variable, or a method of one (model.predict_proba)",
    },
    ("standardise", "to"): {
        **_OTHER_ROWS,
        "help": "the mix: a variable with shares, a frame, an evaluation or a tally",
    },
    ("attribute_change", "reference"): {**_OTHER_ROWS, "help": "the rows before: a variable, as for standardise"},
    ("drift", "reference"): {"metavar": "NAME", "help": "the rows to compare with: a variable"},
    ("slices", "features"): {
        "nargs": "+",
        "metavar": "COLUMN",
        "help": "columns to search; all that play no role when absent",
    },
    ("slices", "metric"): {"metavar": "NAME", "help": "an average over rows; the error rate when absent"},
    ("slices", "bins"): {"type": int, "help": "intervals of a column of numbers"},
    ("slices", "min_n"): {"type": int, "help": "rows of a slice at least"},
    ("slices", "baseline"): {"metavar": "NAME", "help": "another model: where is the model worse than it"},
    ("slices", "n_resamples"): {"type": int, "help": "deals of the rows by chance"},
    ("slices", "random_state"): {"type": int, "help": "seed of the deals"},
    ("equalise", "cost"): {"nargs": "+", "help": "fp=1 fn=5: costs of errors"},
    ("fairness", "cost"): {"nargs": "+", "help": "fp=1 fn=5: costs of errors"},
    ("agreement", "level"): {"type": _number_or_column},
}
_ALSO = {"rules": ("--rule",), "level": ("--ci",), "model": ("--models",), "metric": ("--metrics",)}
_COLUMN_OPTIONS = {"by", *roles_of(COLUMN, BY_MODEL, "outcomes", "cohorts")}


class _Parser(argparse.ArgumentParser):
    """A parser that answers with a short message instead of leaving the kernel."""

    def error(self, message: str) -> NoReturn:
        more = f"Help: {self.prog} --help"
        wrong = re.search(r"unrecognized arguments: --([\w-]+)", message)
        if wrong:
            known = [flag.removeprefix("--") for action in self._actions for flag in action.option_strings]
            more = f"{did_you_mean(spelt(wrong[1], known), known)} {more}".strip()
        raise UsageError(f"{self.prog}: {message}. {more}")


def _parser(command: Command) -> _Parser:
    parser = _Parser(
        prog=f"%evals {command.name}", description=command.help + ".", add_help=False, allow_abbrev=False, usage=None
    )
    parser.add_argument("source", metavar="rows", help="name of a DataFrame or of an evaluation (ev = df.evals(…))")
    if command.places:
        names = " and ".join(_flag(name) for name in command.places)
        parser.add_argument("words", nargs="*", metavar="NAME", help=f"the same as {names}")
    mine = parser.add_argument_group("options")
    for name, general in _OPTIONS.items():
        if name in command.parameters:
            settings = _OF_COMMAND.get((command.name, name), general)
            mine.add_argument(_flag(name), *_ALSO.get(name, ()), default=argparse.SUPPRESS, **settings)
    if command.prints:
        mine.add_argument("--where", metavar="EXPRESSION", help="only these rows, such as 'age < 30'")
        mine.add_argument("--each", action="store_true", help="cohorts of each column instead of intersections")
        mine.add_argument("--plot", action="store_true", help="draw the result instead of showing its table")
    roles = parser.add_argument_group("roles (or set them once: df.evals.set_roles(…))")
    for name, settings in command.roles.items():
        roles.add_argument(_flag(name), default=argparse.SUPPRESS, **settings)
    return parser


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def evals(shell: Any, line: str, cell: str | None = None) -> Any:
    """Answer one line of `%evals`, or one cell of `%%evals`.

    Parameters
    ----------
    shell : InteractiveShell
        Where the names of frames and evaluations are looked up.
    line : str
        Such as "metrics df --by sex".
    cell : str, optional
        Lines `name: expression`, one cohort each.

    Returns
    -------
    Result, DataFrame, Evaluation or None
        What the method of the question returns; None after help or a plot.

    Raises
    ------
    UsageError
        With a short message, for anything that is wrong with the line.
    """
    words = _split(line)
    if not words or words[0] in ("--help", "-h"):
        print(_overview())
        return None
    name = words[0]
    known = shell.user_ns
    if name in COMMANDS:
        words = words[1:]
    elif name in known:
        name = "metrics"
    else:
        raise UsageError(f"%evals {name!r} is no question. {did_you_mean(name, COMMANDS, noun='Questions')}")
    if "--help" in words or "-h" in words:
        print(_parser(COMMANDS[name]).format_help())
        return None
    try:
        given = vars(_parser(COMMANDS[name]).parse_intermixed_args(words))
        return _answer(COMMANDS[name], _placed(COMMANDS[name], given), known, cell)
    except DfevalsError as error:
        raise UsageError(f"%evals {name}: {error}") from error


def _placed(command: Command, given: dict[str, Any]) -> dict[str, Any]:
    """The options, with the words after the rows put where they belong."""
    words = given.pop("words", [])
    if not words:
        return given
    prog, names = f"%evals {command.name}", command.places
    for name in names:
        if name in given:
            raise UsageError(f"{prog}: {' '.join(words)} and {_flag(name)} say the same; give one of them.")
    if names in (("metrics",), ("raters",)):
        return {**given, names[0]: words}
    if len(words) > len(names):
        raise UsageError(
            f"{prog}: {' '.join(words[len(names) :])} is too much after {' and '.join(_flag(name) for name in names)}; "
            f"options begin with --. Help: {prog} --help"
        )
    try:
        found = {name: _OPTIONS[name].get("type", str)(word) for name, word in zip(names, words, strict=False)}
    except ValueError:
        raise UsageError(f"{prog}: {words[0]!r} is not a whole number. Help: {prog} --help") from None
    return {**given, **found}


def _answer(command: Command, given: dict[str, Any], known: Mapping[str, Any], cell: str | None) -> Any:
    rows, where, each, plot = (given.pop(key, None) for key in ("source", "where", "each", "plot"))
    evaluation = _evaluation(rows, {key: given.pop(key) for key in command.roles if key in given}, known)
    if where:
        evaluation = evaluation.where(where)
    if "by" in given:
        given["by"] = _by(given["by"], evaluation.frame, known, each=bool(each))
    if cell is not None:
        given["by"] = _named_cohorts(cell)
    for name in ("to", "reference", "predict"):
        if name in given and (command.name, name) in _OF_COMMAND:
            given[name] = _variable(given[name], known)
    if "rules" in given:
        given["rules"] = [Gate.parse(rule) for rule in given["rules"]]
    if isinstance(given.get("cost"), list):
        given["cost"] = _cost(given["cost"])
    given |= {key: None for key in ("band", "correction") if given.get(key) == "none"}
    positional = [given.pop(key) for key in ("a", "b") if key in given] + list(given.pop("raters", []))
    result = getattr(evaluation, command.name)(*positional, **given)
    if plot:
        result.plot()
        return None
    return result


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"%evals: {error} in {line!r}; put text with spaces between matching quotes.") from error


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {command.name.ljust(width)}  {command.help}" for command in COMMANDS.values()]
    return (
        "%evals QUESTION ROWS [names] [options]   rows: the name of a DataFrame or of an evaluation\n\n"
        + "\n".join(lines)
        + "\n\n%evals QUESTION --help shows the options. In a cell, %%evals QUESTION ROWS takes one cohort per line:\n"
        + "  name: expression"
    )


# Rows and roles


def _evaluation(name: str, roles: dict[str, Any], known: Mapping[str, Any]) -> Evaluation:
    if name not in known:
        raise UsageError(
            f"%evals: the name {name!r} is not defined. {did_you_mean(name, _sources(known), noun='Frames')}"
        )
    source = known[name]
    if isinstance(source, Evaluation):
        if roles:
            raise UsageError(f"%evals: {name} has its roles already; give roles with the name of a DataFrame.")
        return source
    if not isinstance(source, pd.DataFrame):
        raise UsageError(f"%evals: {name} is a {type(source).__name__}, not a DataFrame or an evaluation.")
    return evaluate(source, **roles_in(roles, source))


def _variable(name: str, known: Mapping[str, Any]) -> Any:
    """What a name stands for, or a method of it."""
    owner, dot, method = name.partition(".")
    if dot and owner in known and not method.startswith("_") and hasattr(known[owner], method):
        return getattr(known[owner], method)
    if name not in known:
        raise UsageError(
            f"%evals: the name {name!r} is not defined. {did_you_mean(name, _sources(known), noun='Frames')}"
        )
    return known[name]


def _cost(words: Sequence[str]) -> dict[str, float] | str:
    """Costs of the cells, `fp=1 fn=5`; or a column."""
    if len(words) == 1 and "=" not in words[0]:
        return words[0]
    pairs = [word.partition("=") for word in words]
    try:
        return {cell: float(amount) for cell, _, amount in pairs}
    except ValueError:
        raise UsageError(f"%evals: --cost {' '.join(words)} cannot be read; write it like fp=1 fn=5.") from None


# Cohorts


def _by(words: Sequence[str], frame: pd.DataFrame, known: Mapping[str, Any], *, each: bool) -> Any:
    if len(words) == 1 and words[0] not in frame.columns and isinstance(known.get(words[0]), Mapping):
        return known[words[0]]
    return cohorts_of(words, frame, each=each)


def _named_cohorts(cell: str) -> dict[str, str]:
    """Lines `name: expression`; empty lines and lines that begin with # are left out."""
    found: dict[str, str] = {}
    for number, line in enumerate(cell.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, expression = (part.strip() for part in line.partition(":"))
        if not (name and colon and expression):
            raise UsageError(f"%%evals: line {number} is {line.strip()!r}; write it as name: expression.")
        if name in found:
            raise UsageError(f"%%evals: line {number} names the cohort {name!r} again.")
        found[name] = expression
    if not found:
        raise UsageError("%%evals: the cell names no cohorts; write lines such as  young: age < 30")
    return found


# Completion


def complete(shell: Any, event: Any) -> list[str]:
    """What the Tab key offers: questions, names of frames, options, columns or metrics, by what stands before the cursor."""
    known = shell.user_ns
    before = str(getattr(event, "text_until_cursor", event.line))
    words = before.split()[1:]
    if event.symbol and words:
        words = words[:-1]
    question = words[0] if words and words[0] in COMMANDS else None
    rest = words[1:] if question else words
    if not rest:
        return _sources(known) if question else [*COMMANDS, *_sources(known)]
    option = next((word for word in reversed(rest) if word.startswith("--")), "")
    if event.symbol.startswith("-") or not option:
        command = COMMANDS[question or "metrics"]
        flags = sorted(flag for action in _parser(command)._actions for flag in action.option_strings)
        place = command.places[:1] if not event.symbol.startswith("-") else ()
        return [*flags, *(value for name in place for value in _values_of(name, known.get(rest[0])))]
    return _values_of(option.lstrip("-").replace("-", "_"), known.get(rest[0]))


def _values_of(option: str, source: Any) -> list[str]:
    frame = source.frame if isinstance(source, Evaluation) else source
    if option in ("metrics", "metric"):
        return metrics.names()
    if option == "raters" and isinstance(frame, pd.DataFrame):
        return [*_model_names(source), *(shlex.quote(str(column)) for column in frame.columns)]
    if option in ("models", "model", "a", "b", "baseline", "default"):
        return _model_names(source)
    if option in _COLUMN_OPTIONS and isinstance(frame, pd.DataFrame):
        return [shlex.quote(str(column)) for column in frame.columns]
    return list(_OPTIONS.get(option, {}).get("choices", []))


def _model_names(source: Any) -> list[str]:
    """Models of an evaluation, or those in the roles kept with a frame."""
    if isinstance(source, Evaluation):
        return list(source.models)
    if not isinstance(source, pd.DataFrame):
        return []
    roles = source.evals.roles
    declared = [value for value in (roles.y_score, roles.y_pred) if isinstance(value, PerModel)]
    return list(dict.fromkeys(name for models in declared for name in models))


def _sources(known: Mapping[str, Any]) -> list[str]:
    """Names of frames and evaluations, without those that IPython keeps for itself."""
    return sorted(
        name
        for name, value in known.items()
        if isinstance(value, (pd.DataFrame, Evaluation)) and not name.startswith("_")
    )


# The extension


def load(shell: Any) -> None:
    """Put `%evals` and `%%evals` into a shell, and the name `dfevals` if it is free. Doing it again changes nothing."""
    import dfevals

    def run(line: str, cell: str | None = None) -> Any:
        return evals(shell, line, cell)

    run.__doc__ = _overview()
    shell.register_magic_function(run, magic_kind="line_cell", magic_name="evals")
    _forget_completion(shell)
    for name in _MAGICS:
        shell.set_hook("complete_command", complete, str_key=name)
    if "dfevals" not in shell.user_ns:
        shell.push({"dfevals": dfevals}, interactive=False)


def unload(shell: Any) -> None:
    """Take out what `load` put in."""
    import dfevals

    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("evals", None)
    _forget_completion(shell)
    if shell.user_ns.get("dfevals") is dfevals and "dfevals" in shell.user_ns_hidden:
        shell.drop_by_id({"dfevals": dfevals})


_MAGICS = ("%evals", "%%evals")


def _forget_completion(shell: Any) -> None:
    completers = shell.strdispatchers.get("complete_command")
    for name in _MAGICS if completers is not None else ():
        completers.strs.pop(name, None)
