"""A folder of made data that appears whole or not at all."""

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datamodules.formats.errors import DataError

log = logging.getLogger(__name__)


@contextmanager
def new_folder(root: Path, proof: str, content: str) -> Iterator[Path]:
    """Yield a draft beside a folder, which takes its name when the block ends well.

    Args:
        root: Folder to make; it must not exist. Where another process makes it in the meantime, its copy is kept.
        proof: A file by which such a copy is known.
        content: What the folder holds, for the log.

    Raises:
        DataError: If the folder exists already.
    """
    if root.exists():
        raise DataError(root, "a folder that does not exist yet", "one that does", "remove it or name another")
    root.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    try:
        yield draft
        draft.chmod(0o755)  # mkdtemp keeps others out
        try:
            draft.rename(root)
        except OSError:
            if not (root / proof).is_file():
                raise
            log.info("%s was made by another process in the meantime; its copy is kept", root)
        else:
            log.info("%s written to %s", content, root)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
