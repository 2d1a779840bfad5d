"""Which column plays which role."""

from dfevals.roles.declared import Model, Outcome, Roles

__all__ = ["Model", "Outcome", "Roles"]
