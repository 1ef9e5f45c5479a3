"""What a config may name: our classes by their short names, and nothing that runs a stranger's code."""

import importlib
import pkgutil
import sys
from pathlib import Path

from jsonargparse import set_parsing_settings

# Whole packages would be too wide: torch.hub and torch.load, monai.bundle and Lightning's own command line
# run what a file or an address holds. What a training config can use lies in these.
ALLOWED = (
    "networks",
    "datamodules",
    "pipeline",
    "pytorch_lightning.accelerators",
    "pytorch_lightning.callbacks",
    "pytorch_lightning.loggers",
    "pytorch_lightning.plugins",
    "pytorch_lightning.profilers",
    "pytorch_lightning.strategies",
    "lightning_fabric.plugins",  # where Lightning's plugins for clusters and precision are defined
    "torch.nn",
    "torch.optim",
    "monai.inferers",
    "monai.losses",
    "monai.metrics",
    "monai.networks",
    "monai.optimizers",
    "monai.transforms",
)
DENIED = (
    "*",
    "pipeline.cli",
    "pipeline.commands",
    "monai.networks.nets.transchex",  # downloads and unpickles weights
    "monai.networks.trt_compiler",
    "monai.networks.utils",
    "monai.transforms.io",  # NumPy's reader unpickles
)
# The modules that define what short names stand for; a class is known once its module is loaded.
_PACKAGES = ("networks", "datamodules", "pipeline.tasks")
_MODULES = ("pipeline.ema", "pipeline.health.monitor", "pytorch_lightning.callbacks", "pytorch_lightning.loggers")


def load_our_classes() -> None:
    """Import the modules whose classes a config may name without a path."""
    for package in _PACKAGES:
        module = importlib.import_module(package)
        for entry in pkgutil.iter_modules(module.__path__, prefix=f"{package}."):
            importlib.import_module(entry.name)
    for name in _MODULES:
        importlib.import_module(name)


def restrict_imports(*, allow_custom_code: bool) -> None:
    """Set for this process what jsonargparse may import for a config's values.

    Args:
        allow_custom_code: Any class path is accepted, the current folder's modules included; jsonargparse
            still denies what starts programs or unpickles, e.g. `os` and `pickle`.
    """
    if allow_custom_code:
        # Last, so that a file of the current folder never stands in for an installed package.
        sys.path.append(str(Path.cwd()))
    set_parsing_settings(
        import_path_denylist=[] if allow_custom_code else list(DENIED),
        import_path_allowlist=[] if allow_custom_code else list(ALLOWED),
        # A mapping under an untyped argument stays a mapping, whatever `class_path` it holds.
        instantiate_subclass_spec_in_any=False,
        # Lightning turns this on; a config is a file of this machine.
        config_read_mode_fsspec_enabled=False,
    )


def refusal_of_import(class_path: str) -> str:
    """Return what a refused class path is answered with."""
    return (
        f"class path '{class_path}' is outside networks, datamodules, pipeline and those parts of "
        "pytorch_lightning, torch and monai that run no files; if you trust it, add --allow-custom-code"
    )
