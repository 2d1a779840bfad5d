"""The version of dfevals."""

__version__ = "0.1.0"
