"""A result's chart as pictures for a page: one for light grounds and one for dark."""

from __future__ import annotations

import base64
import io
import warnings
from typing import Any

import numpy as np

from dfevals.exceptions import DfevalsError
from dfevals.results.result import Result

__all__ = ["data_url", "picture"]

DOTS = 110


def picture(result: Result, dark: bool = False) -> tuple[bytes, str] | None:
    """PNG of the chart, and what it shows in words; None where the result has no chart."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    from dfevals.plots.style import alt_text

    ground = "#16181C" if dark else "#FFFFFF"
    with mpl.rc_context({"figure.facecolor": ground}), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a letter that no font has is drawn as a box; the table has it
        try:
            drawn: Any = result.plot()
        except DfevalsError:
            return None
        figure = np.atleast_1d(drawn).flat[0].get_figure()
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DOTS, bbox_inches="tight")
        words = alt_text(figure)
        plt.close(figure)
    return buffer.getvalue(), words


def data_url(png: bytes) -> str:
    """The picture inside a page."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
