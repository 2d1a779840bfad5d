"""The additive table that one pass collects: counts, moments and sorted scores per cohort."""

from dfevals.tally.bins import BinTally
from dfevals.tally.cells import CellTally, CellView
from dfevals.tally.classes import ClassTally
from dfevals.tally.joint import JointMomentTally, JointTally
from dfevals.tally.many_cells import ManyCells, MarginView
from dfevals.tally.moments import MomentTally, MomentView
from dfevals.tally.scores import RankSums, ScoreTally
from dfevals.tally.table import ExtremeTally, ModelTally, RowTally, Tally, UnitTally

__all__ = [
    "BinTally",
    "CellTally",
    "CellView",
    "ClassTally",
    "ExtremeTally",
    "JointMomentTally",
    "JointTally",
    "ManyCells",
    "MarginView",
    "ModelTally",
    "MomentTally",
    "MomentView",
    "RankSums",
    "RowTally",
    "ScoreTally",
    "Tally",
    "UnitTally",
]
