"""Plain log lines on the standard error, and third parties kept quiet."""

import logging
import os
import sys
import warnings

# Third parties that report at INFO what no user asked for.
_NOISY = (
    "absl",
    "alembic",
    "fsspec",
    "git",
    "highdicom",
    "httpx",
    "lightning_fabric",
    "lightning_utilities",
    "matplotlib",
    "libav",
    "mlflow",
    "monai",
    "numexpr",
    "PIL",
    "pydicom",
    "pytorch_lightning",
    "sqlalchemy",
    "torch",
    "urllib3",
)
_ENVIRONMENT = {
    "NO_ALBUMENTATIONS_UPDATE": "1",  # its import asks the network for a newer version
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "DO_NOT_TRACK": "1",
    # Threads of GNU OpenMP that wait for one another by spinning starve the processes that draw patches, and each
    # other, wherever cores are fewer than threads: a step beside one busy process took fifteen times as long.
    "GOMP_SPINCOUNT": "1000",
}


class _PlainFormatter(logging.Formatter):
    """The message alone for INFO, with its level before it from WARNING on."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if record.levelno == logging.INFO else f"{record.levelname.lower()}: {text}"


class _StandardError(logging.Handler):
    """Write to whatever the standard error is now, above a progress bar if one is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        bars = sys.modules.get("tqdm")
        if bars is not None:
            bars.tqdm.write(self.format(record), file=sys.stderr)
        else:
            sys.stderr.write(f"{self.format(record)}\n")


def _is_wanted(record: logging.LogRecord) -> bool:
    # A filter and not levels: these libraries set their loggers' levels themselves when they are imported.
    return record.levelno >= logging.WARNING or record.name.split(".")[0] not in _NOISY


def _one_line_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    return " ".join(str(message).split())


def quiet_environment() -> None:
    """Turn off telemetry, update checks and spinning threads; must run before the libraries are imported."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def set_up_logging(*, debug: bool = False) -> None:
    """Send the log to the standard error.

    Args:
        debug: Show everything, third parties and Python's warnings included.
    """
    quiet_environment()
    handler = _StandardError()
    handler.setFormatter(_PlainFormatter())
    if not debug:
        handler.addFilter(_is_wanted)
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
    root = logging.getLogger()
    for earlier in [one for one in root.handlers if isinstance(one, _StandardError)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if debug else logging.INFO)
    warnings.formatwarning = _one_line_warning
    logging.captureWarnings(True)
