"""The command line of a training: seed_everything, model, data and trainer, typed by constructors."""

from argparse import RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from jsonargparse import ArgumentError, DefaultHelpFormatter, Namespace
from jsonargparse.typing import NonNegativeInt
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from pytorch_lightning.cli import ArgsType, LightningArgumentParser, LightningCLI

from pipeline.config import strict_yaml
from pipeline.config.errors import OWN_PACKAGES, UsageError
from pipeline.config.explain import explain
from pipeline.config.files import resolve_config_arguments, shipped_names
from pipeline.config.schema import arguments_of

TRAINER_DEFAULTS: dict[str, Any] = {
    "logger": {"class_path": "pipeline.tracking.logger.MlflowLogger"},
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "enable_progress_bar": False,  # ours shows the whole training and the time left
    "use_distributed_sampler": False,  # our samplers share the work themselves
    "log_every_n_steps": 10,
}
_DESCRIPTION = """Train a model from a config. Any of its keys can be overridden, e.g.
--trainer.max_epochs 3. Two switches stand beside the keys below:
  --allow-custom-code  lets the config name classes outside this application,
                       those of the current folder included
  --debug              shows the whole log"""
_EXAMPLES = """examples:
  pipeline train --config unet_ct.yaml
  pipeline train --config unet_ct.yaml --data.root /data/ct --trainer.max_time 00:00:40:00
  pipeline train --config mine.yaml --model.network.norm batch --trainer.precision bf16-mixed
  pipeline train --config unet_ct.yaml --print_config > mine.yaml

"""


class _HelpFormatter(RawDescriptionHelpFormatter, DefaultHelpFormatter):
    """Types and defaults as jsonargparse shows them; description and examples in the lines they are written in."""


class TrainingCLI(LightningCLI):
    """Parse a training's command line and build its task, data and trainer.

    Args:
        arguments: The command line after the verb.
        task_class: Base of what `model` may name.
        data_class: Base of what `data` may name.
        trainer_defaults: Trainer arguments that hold where the config says nothing.

    Raises:
        UsageError: The command line or a config is refused; says why in one line.
        SystemExit: Help or `--print_config` was asked for.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        task_class: type[LightningModule],
        data_class: type[LightningDataModule],
        trainer_defaults: Mapping[str, Any] | None = None,
    ) -> None:
        strict_yaml.install()
        resolved, paths = resolve_config_arguments(arguments)
        self.files = {str(path): strict_yaml.read_config(path) for path in paths}
        super().__init__(
            task_class,
            data_class,
            save_config_callback=None,  # the config is kept with the run
            trainer_defaults=dict(TRAINER_DEFAULTS if trainer_defaults is None else trainer_defaults),
            seed_everything_default=0,
            parser_kwargs={
                "prog": "pipeline train",
                "description": _DESCRIPTION,
                "epilog": _EXAMPLES,
                "formatter_class": _HelpFormatter,
                "exit_on_error": False,
                "allow_abbrev": False,  # `--trainer.max_epoch` is a mistake, not a short form
            },
            subclass_mode_model=True,
            subclass_mode_data=True,
            run=False,
            auto_configure_optimizers=False,
            args=resolved,
        )

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the seed."""
        parser.add_argument(
            "--seed_everything",
            type=NonNegativeInt,
            default=self.seed_everything_default,
            help="Seed of the weights' start, patches and augmentation; that of the split is data.split.seed.",
        )

    def add_core_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the sections in the order in which a config is read."""
        parser.add_lightning_class_args(self._model_class, "model", subclass_mode=True)
        parser.add_lightning_class_args(self._datamodule_class, "data", subclass_mode=True)
        parser.add_lightning_class_args(Trainer, "trainer")
        parser.set_defaults({f"trainer.{name}": value for name, value in self.trainer_defaults.items()})

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse the command line, turning a refusal into one line."""
        arguments = [str(argument) for argument in args] if isinstance(args, list) else []
        try:
            self.config = parser.parse_args(arguments)
        except (ArgumentError, TypeError, ValueError) as error:
            raise UsageError(self._explain(str(error), arguments)) from error
        section = self.config.get("trainer")
        if not isinstance(section, Namespace):
            raise UsageError(f"trainer: expected keys such as max_epochs, found {section!r}")

    def _explain(self, message: str, arguments: Sequence[str]) -> str:
        if not self.files and "arguments are required" in message:
            return f"--config is missing: give a file or one of {', '.join(shipped_names())}"
        sections = {
            "seed_everything": int,
            "model": self.model_class,
            "data": self.datamodule_class,
            "trainer": arguments_of(Trainer),
        }
        return explain(message, self.files, arguments, sections, {"trainer": self.trainer_defaults})

    def instantiate_classes(self) -> None:
        """Build task, data and trainer.

        Raises:
            UsageError: A constructor refuses its arguments.
        """
        try:
            super().instantiate_classes()
        except (MisconfigurationException, ValueError) as error:
            # jsonargparse wraps what a constructor raised, once for every type that it tried.
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            if type(cause).__module__.split(".")[0] in OWN_PACKAGES:
                raise cause from error
            raise UsageError(" ".join(str(cause).split())) from error

    def config_text(self) -> str:
        """Return the resolved config as YAML, which gives the same run when it is fed back in."""
        return str(self.parser.dump(self.config, skip_unset=False))

    def parameters(self) -> dict[str, object]:
        """Return the resolved config's values by their keys as the command line writes them."""
        return flatten(yaml.safe_load(self.config_text()))


def flatten(content: Any, prefix: str = "") -> dict[str, object]:  # noqa: ANN401 -- YAML holds anything
    """Return nested mappings as one, with dotted keys without `init_args`; lists of plain values stay whole.

    Args:
        content: What YAML holds.
        prefix: Key of the content, with its dot.
    """
    if isinstance(content, list) and any(isinstance(item, dict) for item in content):
        content = {str(index): item for index, item in enumerate(content)}
    if not isinstance(content, dict) or not content:
        return {prefix.rstrip("."): content}
    flat: dict[str, object] = {}
    for name, value in content.items():
        flat |= flatten(value, prefix if name == "init_args" and value else f"{prefix}{name}.")
    return flat
