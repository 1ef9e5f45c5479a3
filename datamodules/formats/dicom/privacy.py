"""Warnings of the DICOM libraries kept out of the log: they quote values, and so the names of patients."""

from __future__ import annotations

import itertools
import logging
import warnings

_LIBRARIES = ("pydicom", "highdicom")
_MODULES = rf"({'|'.join(_LIBRARIES)})(\.|$)"
_SILENT = logging.CRITICAL + 1


def keep_values_quiet() -> None:
    """Silence what pydicom and highdicom log and warn of, in all threads and to the end of the process.

    Call it wherever headers are read or written, after importing them: pydicom sets its logger's level when imported,
    and filters of warnings may have been reset since an earlier call. What matters of a header is checked and told by
    this package itself, by the names of attributes.
    """
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(_SILENT)
    # the first filter that fits decides; adding one again takes it out for a moment, in which a thread may warn
    ahead = itertools.takewhile(lambda entry: entry[0] == "ignore", warnings.filters)
    if all(getattr(entry[3], "pattern", "") != _MODULES for entry in ahead):
        warnings.filterwarnings("ignore", module=_MODULES)
