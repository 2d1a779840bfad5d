"""Sphinx: pages in MyST Markdown, notebooks with their committed outputs, tables generated from the package itself."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import dfevals

HERE = Path(__file__).resolve().parent
GENERATED = HERE / "_generated"
sys.path.insert(0, str(HERE))

from gallery import write_gallery  # noqa: E402
from tables import write_listing, write_tables  # noqa: E402

project = "dfevals"
author = "The dfevals developers"
copyright = "The dfevals developers"
version = release = dfevals.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.viewcode", "numpydoc"]
exclude_patterns = ["_build", "_generated/tables", "_generated/gallery", "examples", "**.ipynb_checkpoints"]

# Notebooks are shown as they are committed; nothing is executed and no widget state is read.
nb_execution_mode = "off"
nb_mime_priority_overrides = [
    ("html", "application/vnd.jupyter.widget-view+json", None),
    ("html", "text/html", 0),
    ("html", "image/svg+xml", 10),
    ("html", "image/png", 20),
    ("html", "text/plain", 50),
]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autosummary_generate = True
templates_path = ["_templates"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "pydata_sphinx_theme"
html_title = "dfevals"
html_static_path = ["_static"]
html_css_files = ["dfevals.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars: dict[str, list[str]] = {"index": [], "_generated/gallery": []}
html_theme_options = {
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "friendly",
    "pygments_dark_style": "github-dark",
}


def _copy_notebooks() -> None:
    target = GENERATED / "notebooks"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for path in sorted((HERE.parent / "notebooks").glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            _describe_pictures(cell)
        (target / path.name).write_text(json.dumps(notebook), encoding="utf-8")


def _describe_pictures(cell: dict[str, Any]) -> None:
    """Tell the page what the pictures of a cell show: charts leave their words in the metadata of the output."""
    words = [output.get("metadata", {}).get("image/png", {}).get("alt", "") for output in cell.get("outputs", ())]
    if text := " ".join(filter(None, words)):
        cell["metadata"].setdefault("mystnb", {}).setdefault("image", {})["alt"] = text


_copy_notebooks()
write_gallery(GENERATED / "gallery", GENERATED / "gallery.md")
write_tables(GENERATED / "tables")
write_listing(
    GENERATED / "inference.md",
    "dfevals.inference",
    "Statistics on arrays",
    "`dfevals.inference`: intervals, tests and corrections. Arrays or counts in, small frozen records out.",
)
