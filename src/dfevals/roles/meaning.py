"""What the roles mean: the task, the labels and the models, without any rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dfevals.exceptions import RoleError, did_you_mean
from dfevals.roles.declared import Model, Outcome, Roles

__all__ = ["Meaning"]


@dataclass(frozen=True)
class Meaning:
    """What the roles mean, settled on some rows; small and without them.

    `labels` are the classes in order (binary: the positive label last); `reasons` say how the task and the labels
    were found.
    """

    roles: Roles
    task: str
    labels: tuple[Any, ...]
    models: tuple[Model, ...]
    reasons: tuple[str, ...] = ()
    additive: bool = False  # for a tally that is added to others: weights that are all equal here may differ there
    alone: bool = False  # no intervals are asked for, so that it does not matter which rows depend on each other

    @property
    def pos_label(self) -> Any:
        """The positive label of a binary task."""
        return self.labels[-1] if self.task == "binary" else None

    @property
    def classifies(self) -> bool:
        """Whether labels are classes."""
        return self.task in ("binary", "multiclass")

    def model(self, name: Any) -> Model:
        """A model by name.

        Raises
        ------
        RoleError
            Unknown model.
        """
        for model in self.models:
            if model.name == str(name):
                return model
        raise RoleError(
            f"There is no model {name!r}. {did_you_mean(name, [m.name for m in self.models], noun='Models')}"
        )

    def outcome(self, name: str) -> Outcome:
        """A declared outcome by its column."""
        for outcome in self.roles.outcomes:
            if outcome.column == name:
                return outcome
        raise RoleError(
            f"There is no outcome {name!r}. {did_you_mean(name, [o.column for o in self.roles.outcomes], noun='Outcomes')}"
        )
