"""Which column plays which role."""

from dfevals.roles.declared import Model, Outcome, Roles
from dfevals.roles.records import table

__all__ = ["Model", "Outcome", "Roles", "table"]
