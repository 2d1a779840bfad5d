"""How a result was made: roles, cohorts, a hash of the data read, versions. Worked out when first read."""

from __future__ import annotations

import hashlib
import platform
from typing import Any

import numpy as np
import pandas as pd

import dfevals
from dfevals.bound import Bound
from dfevals.cohorts import encode
from dfevals.roles import Roles

__all__ = ["data_hash", "provenance"]


def provenance(bound: Bound, roles: Roles, by: Any) -> dict[str, Any]:
    """A small record of plain values."""
    return {
        "roles": repr(roles),
        "task": bound.task,
        "labels": ", ".join(map(repr, bound.labels)),
        "by": repr(by) if by is not None and not isinstance(by, dict) else ", ".join(map(str, by or ())),
        "engine": "pandas",
        "rows_read": bound.n,
        "data_sha256": data_hash(bound),
        "versions": f"dfevals {dfevals.__version__}, pandas {pd.__version__}, numpy {np.__version__}, Python {platform.python_version()}",
    }


def data_hash(bound: Bound) -> str:
    """SHA-256 of the role columns: equal data give equal hashes, whatever the dtype of their texts."""
    digest = hashlib.sha256()
    roles = bound.roles
    singles = (
        roles.y_true,
        roles.sample_weight,
        roles.cluster,
        roles.unit,
        roles.id,
        roles.model,
        roles.fold,
        roles.time,
    )
    names = [name for name in singles if name is not None]
    names += [name for model in bound.models for name in model.columns] + [outcome.column for outcome in roles.outcomes]
    for name in dict.fromkeys(names):
        series = bound.frame[name]
        digest.update(str(name).encode() + b"\0")
        if isinstance(series.dtype, np.dtype) and series.dtype.kind in "iufb":
            digest.update(np.ascontiguousarray(series.to_numpy().astype(np.float64, copy=False)).data)
            continue
        codes, labels = encode(series)
        digest.update(np.ascontiguousarray(codes.astype(np.int32)).data)
        digest.update("\0".join(map(str, labels)).encode())
    return digest.hexdigest()
