"""A sentence-embedding backend for the grounding evaluators (needs the library sentence-transformers)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dfevals.exceptions import DataError

__all__ = ["SentenceEmbedding"]


class SentenceEmbedding:
    """Embeds texts with a sentence-transformers model: `Groundedness(embed=SentenceEmbedding("path or name"))`.

    The model is loaded at the first use, by the library, from the folder or name given here; a name may be downloaded by
    it. Vectors of texts that were seen are kept.

    Parameters
    ----------
    model : str
        Folder or name of a model.
    batch_size : int
        Texts at once.

    Raises
    ------
    DataError
        At the first use, when the library is not installed.
    """

    def __init__(self, model: str, *, batch_size: int = 64) -> None:
        self.model, self.batch_size = model, batch_size
        self._loaded: Any = None
        self._known: dict[str, npt.NDArray[np.float64]] = {}

    def __repr__(self) -> str:
        return f"SentenceEmbedding({self.model!r})"

    def __call__(self, texts: list[str]) -> npt.NDArray[np.float64]:
        """One vector per text, shape (texts, dimensions)."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            vectors = self._encoder().encode(new, batch_size=self.batch_size, show_progress_bar=False)
            self._known.update(zip(new, np.asarray(vectors, dtype=np.float64), strict=True))
        return np.stack([self._known[text] for text in texts])

    def _encoder(self) -> Any:
        if self._loaded is None:
            try:
                from sentence_transformers import SentenceTransformer
            except ImportError:
                raise DataError(
                    "SentenceEmbedding needs the library sentence-transformers: pip install sentence-transformers."
                ) from None
            self._loaded = SentenceTransformer(self.model)
        return self._loaded
