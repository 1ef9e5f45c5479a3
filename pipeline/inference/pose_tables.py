"""The table of joints, one row per frame and joint, in Parquet and CSV at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datamodules.formats.atomic import atomic_path
from datamodules.keypoints import Skeleton

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("frame", "time_s", "joint", "x", "y", "confidence", "status")
_CHUNK_FRAMES = 1024  # the frames of a row group: what is held in memory
_DIGITS = {"time_s": 6, "x": 3, "y": 3, "confidence": 5}  # decimals of the CSV; Parquet keeps all


@dataclass(frozen=True)
class PoseChunk:
    """Some frames of a table.

    Args:
        frames: Their indices [N].
        time_s: Their times in s [N], NaN where there is none.
        points: x and y in pixels of the video [N, K, 2], NaN where empty.
        confidence: Of each joint [N, K], NaN where empty.
        status: Of each joint [N, K], as words.
    """

    frames: NDArray[np.int64]
    time_s: NDArray[np.float64]
    points: NDArray[np.float64]
    confidence: NDArray[np.float64]
    status: NDArray[Any]


class PoseTableWriter:
    """Write the joints of a video while they come; the files appear whole when the block ends well.

    An empty number is a null in Parquet and nothing in CSV, never 0. Where x or y is empty, both are.

    Args:
        folder: Where the files go; it exists.
        stem: Their name without a suffix.
        skeleton: The joints.

    Attributes:
        parquet: The table in Parquet.
        csv: The table in CSV.
        frames: How many frames have been written.
    """

    def __init__(self, folder: Path, stem: str, skeleton: Skeleton) -> None:
        self.parquet, self.csv = folder / f"{stem}.parquet", folder / f"{stem}.csv"
        self.frames = 0
        self._names = skeleton.names
        self._rows: list[tuple[int, float, NDArray[np.float64], tuple[str, ...]]] = []
        self._open = ExitStack()

    def __enter__(self) -> Self:
        from pyarrow import csv, parquet

        schema = _schema()
        with ExitStack() as opening:
            paths = [opening.enter_context(atomic_path(path)) for path in (self.parquet, self.csv)]
            self._parquet_writer = opening.enter_context(parquet.ParquetWriter(paths[0], schema, compression="zstd"))
            quoting = "needed" if set('",\r\n') & set("".join(self._names)) else "none"
            options = csv.WriteOptions(quoting_style=quoting, quoting_header="none")
            self._csv_writer = opening.enter_context(csv.CSVWriter(paths[1], schema, write_options=options))
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._open:
            if error is not None:
                raise error
            self._flush()

    def write(
        self,
        frame: int,
        time_s: float,
        points: ArrayLike,
        confidence: ArrayLike,
        status: Sequence[str],
    ) -> None:
        """Append a frame.

        Args:
            frame: Its index.
            time_s: Its time in s, NaN where it has none.
            points: x and y in pixels of the video [K, 2], NaN where empty.
            confidence: Of each joint [K], NaN where empty.
            status: One word for each joint.

        Raises:
            ValueError: If the shapes are not those of the skeleton.
        """
        words = tuple(status)
        xy, scores = np.asarray(points, np.float64), np.asarray(confidence, np.float64)
        wanted = (len(self._names), 2)
        if xy.shape != wanted or scores.shape != wanted[:1] or len(words) != wanted[0]:
            found = f"points {list(xy.shape)}, confidence {list(scores.shape)} and {len(words)} words"
            raise ValueError(f"expected {wanted[0]} joints, found {found}")
        row = np.concatenate([xy, scores[:, None]], axis=1)
        row[~np.isfinite(xy).all(axis=1), :2] = np.nan
        row[~np.isfinite(row)] = np.nan
        self._rows.append((frame, time_s, row, words))
        self.frames += 1
        if len(self._rows) >= _CHUNK_FRAMES:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            table = self._table()
            self._parquet_writer.write_table(table)
            self._csv_writer.write_table(_rounded(table))
            self._rows.clear()

    def _table(self) -> pa.Table:
        import pyarrow as pa

        joints, schema = len(self._names), _schema()
        numbers = np.stack([row for _, _, row, _ in self._rows]).reshape(-1, 3)
        columns = (
            np.repeat(np.array([frame for frame, *_ in self._rows], np.int64), joints),
            np.repeat(np.array([time for _, time, *_ in self._rows], np.float64), joints),
            list(self._names) * len(self._rows),
            *numbers.T,
            [word for *_, words in self._rows for word in words],
        )
        # from_pandas: a NaN becomes a null
        arrays = [pa.array(c, type=f.type, from_pandas=True) for c, f in zip(columns, schema, strict=True)]
        return pa.Table.from_arrays(arrays, schema=schema)


def read_chunks(parquet_file: Path, skeleton: Skeleton) -> Iterator[PoseChunk]:
    """Read a table that `PoseTableWriter` has written, some frames at a time.

    Args:
        parquet_file: The table.
        skeleton: Its joints.

    Raises:
        ValueError: If the table has other joints.
    """
    from pyarrow import parquet

    with parquet.ParquetFile(parquet_file) as file:
        for group in range(file.num_row_groups):
            yield _chunk(file.read_row_group(group), skeleton)


def _chunk(table: pa.Table, skeleton: Skeleton) -> PoseChunk:
    joints = len(skeleton.names)
    if table["joint"].to_pylist()[:joints] != list(skeleton.names) or len(table) % joints:
        raise ValueError(f"expected a table of the joints {', '.join(skeleton.names)}, found others")
    column = {name: table[name].to_numpy().reshape(-1, joints) for name in COLUMNS if name != "joint"}
    points = np.stack([column["x"], column["y"]], axis=-1)
    return PoseChunk(column["frame"][:, 0], column["time_s"][:, 0], points, column["confidence"], column["status"])


def _schema() -> pa.Schema:
    import pyarrow as pa

    types = (pa.int64(), pa.float64(), pa.string(), pa.float64(), pa.float64(), pa.float64(), pa.string())
    return pa.schema(list(zip(COLUMNS, types, strict=True)))


def _rounded(table: pa.Table) -> pa.Table:
    """Return the table with as many decimals as the CSV shows."""
    from pyarrow import compute

    for name, digits in _DIGITS.items():
        table = table.set_column(COLUMNS.index(name), name, compute.round(table[name], ndigits=digits))
    return table
