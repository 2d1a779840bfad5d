"""Charts: one file per family, each with `draw(frame, ax=None, …) -> Axes`; a chart never computes a statistic."""

import lazy_loader

# Light on purpose: matplotlib and seaborn load when something is drawn.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "calibration",
        "comparison",
        "confusion",
        "curves",
        "errors",
        "folds",
        "forest",
        "gains",
        "gates",
        "heatmap",
        "lines",
        "metrics",
        "panels",
        "posterior",
        "power",
        "ranks",
        "residuals",
        "style",
        "thresholds",
    ],
    submod_attrs={"style": ["OVERALL", "PALETTE", "alt_text", "save", "theme"]},
)
