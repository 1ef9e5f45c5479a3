"""A table of joints in the two files of DeepLabCut, for the tools that read those."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from datamodules.formats.atomic import atomic_path
from datamodules.keypoints import Skeleton
from pipeline.inference.pose_tables import PoseChunk, read_chunks

if TYPE_CHECKING:
    import pandas as pd

_KEY = "df_with_missing"  # the name under which DeepLabCut looks for the table
_DECIMALS = 5


def write_deeplabcut(table: Path, folder: Path, stem: str, skeleton: Skeleton, scorer: str) -> tuple[Path, Path]:
    """Write `stem`_deeplabcut.h5 and .csv: columns of scorer, bodyparts and coords, one row per frame.

    Args:
        table: What `PoseTableWriter` has written, in Parquet; it is read in chunks.
        folder: Where the files go; it exists.
        stem: Their name.
        skeleton: The joints.
        scorer: Whose work it is, as DeepLabCut asks: the model's name.

    Returns:
        The H5 and the CSV file. An empty joint has neither x nor y, NaN in the H5.
    """
    import pandas as pd

    h5, csv = folder / f"{stem}_deeplabcut.h5", folder / f"{stem}_deeplabcut.csv"
    with ExitStack() as opened:
        store_part, text_part = (opened.enter_context(atomic_path(path)) for path in (h5, csv))
        store = opened.enter_context(pd.HDFStore(str(store_part), mode="w"))
        text = opened.enter_context(text_part.open("w", encoding="utf-8", newline=""))
        empty = True
        for chunk in read_chunks(table, skeleton):
            rows = _frame(chunk, skeleton, scorer)
            store.append(_KEY, rows, format="table")
            rows.round(_DECIMALS).to_csv(text, header=empty, lineterminator="\n")
            empty = False
        if empty:
            raise ValueError(f"{table}: expected at least one frame, found none")
    return h5, csv


def _frame(chunk: PoseChunk, skeleton: Skeleton, scorer: str) -> pd.DataFrame:
    """Return frames as rows with the three levels of columns."""
    import pandas as pd

    levels = [[scorer], list(skeleton.names), ["x", "y", "likelihood"]]
    columns = pd.MultiIndex.from_product(levels, names=["scorer", "bodyparts", "coords"])
    numbers = np.concatenate([chunk.points, chunk.confidence[..., None]], axis=-1)
    return pd.DataFrame(numbers.reshape(len(numbers), -1), columns=columns, index=chunk.frames)
