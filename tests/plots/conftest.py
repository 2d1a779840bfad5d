"""Charts are drawn without a screen, and every figure is closed after its test."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import pytest


@pytest.fixture(autouse=True)
def _closed_figures() -> Iterator[None]:
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    before = dict(mpl.rcParams)
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()  # drawing must not warn either
    plt.close("all")
    assert dict(mpl.rcParams) == before
