"""`make demo`: run the quickstart notebook on real data, print its cohort table, write a self-contained page."""

from __future__ import annotations

import time
from pathlib import Path

import nbformat
from jinja2 import DictLoader
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "notebooks" / "01_quickstart.ipynb"
PAGE = ROOT / "build" / "quickstart.html"
TEMPLATE = """{% extends 'lab/index.html.j2' %}
{% block html_head_js %}{% endblock %}
{% block html_head_js_mathjax %}{% endblock %}
{% block html_head_js_mermaidjs %}{% endblock %}
"""
TABLE = "cohort-table"  # tag of the cell whose table is printed


def main() -> None:
    """Execute, print, write."""
    start = time.perf_counter()
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(
        notebook,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(NOTEBOOK.parent)}},
    ).execute()
    print(f"Executed {NOTEBOOK.relative_to(ROOT)} in {time.perf_counter() - start:.1f} s\n")
    print(tagged_text(notebook, TABLE), end="\n\n")
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(notebook), encoding="utf-8")
    print(f"The whole notebook as a page that needs no network: {PAGE.relative_to(ROOT)}")


def tagged_text(notebook: NotebookNode, tag: str) -> str:
    """The text of the output of the cell with a tag."""
    for cell in notebook.cells:
        if tag in cell.metadata.get("tags", []):
            for output in cell.outputs:
                if "text/plain" in output.get("data", {}):
                    return str(output.data["text/plain"])
    raise SystemExit(f"No cell of {NOTEBOOK.name} with the tag {tag!r} has an output.")


def page(notebook: NotebookNode) -> str:
    """The notebook as HTML without scripts, fonts or images from elsewhere."""
    notebook.metadata.pop("widgets", None)
    exporter = HTMLExporter(extra_loaders=[DictLoader({"page.html.j2": TEMPLATE})], template_file="page.html.j2")
    body, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": "dfevals quickstart"}})
    return str(body)


if __name__ == "__main__":
    main()
