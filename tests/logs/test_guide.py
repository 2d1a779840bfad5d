"""The code of the guide to logs runs on the logs at hand."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import dfevals
from logs.logs_at_hand import LOGS

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "logs.md"


def test_code_of_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "logs").mkdir()
    for name, path in zip(("small", "large"), sorted((LOGS / "inspect" / "words").glob("*.eval")), strict=True):
        shutil.copy(path, tmp_path / "logs" / f"{name}.eval")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"dfevals": dfevals}
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2
    for block in blocks:
        exec(block, names)  # noqa: S102 (our own page)
    assert set(names["ev"].models) == {"mockllm/small", "mockllm/large"}
