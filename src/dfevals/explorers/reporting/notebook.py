"""The report as an executed notebook, to go on from."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfevals.explorers.reporting.charts import picture
from dfevals.explorers.reporting.sections import Section, sections_of

if TYPE_CHECKING:
    from dfevals.evaluation import Evaluation

__all__ = ["notebook"]


def notebook(ev: Evaluation, path: str | Path, sections: Any, title: str, by: Any, data: str | Path | None) -> Path:
    """Write the notebook; see `Evaluation.to_notebook`."""
    path = Path(path)
    cells = [_text(f"# {title}"), _code(_reading(ev, path, data), [])]
    for part in sections_of(ev, sections, by):
        cells += _cells(part)
    for count, cell in enumerate((cell for cell in cells if cell["cell_type"] == "code"), 1):
        cell["execution_count"] = count
        for output in cell["outputs"]:
            if output["output_type"] == "execute_result":
                output["execution_count"] = count
    for at, cell in enumerate(cells):
        cell["id"] = hashlib.sha256(f"{at} {cell['source']}".encode()).hexdigest()[:8]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _reading(ev: Evaluation, path: Path, data: str | Path | None) -> str:
    if data is None:
        return "import dfevals\n\ndf = ...  # the rows that this report is about"
    ev.frame.to_parquet(path.parent / data)
    return f"import pandas as pd\n\nimport dfevals\n\ndf = pd.read_parquet({str(data)!r})"


def _cells(part: Section) -> list[dict[str, Any]]:
    found = [_text(f"## {part.title}" + (f"\n\n*{part.refused}*" if part.result is None else ""))]
    if part.result is None:
        return [*found, _code(part.code, [])] if part.code else found
    shown = part.result.table()
    bundle = {"text/html": shown.to_html(), "text/plain": shown.to_text()}
    if not part.code:  # a result that was handed over: how it was asked for is not known
        found[0]["source"] += f"\n\n{part.result.to_markdown()}"
        return found
    output = {"output_type": "execute_result", "data": bundle, "metadata": {}, "execution_count": 0}
    cells = [*found, _code(f"result = {part.code}\nresult", [output])]
    drawn = picture(part.result)
    if drawn is not None:
        image = {"image/png": base64.b64encode(drawn[0]).decode("ascii"), "text/plain": drawn[1]}
        shown_again = {"output_type": "display_data", "data": image, "metadata": {"image/png": {"alt": drawn[1]}}}
        cells.append(_code("result.plot();", [shown_again]))
    return cells


def _text(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _code(source: str, outputs: list[Any]) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": outputs, "execution_count": None}
