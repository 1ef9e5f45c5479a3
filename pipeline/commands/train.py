"""Train a model from a config; the run is tracked in MLflow."""

_ALLOW = "--allow-custom-code"


def train(arguments: list[str]) -> int:
    """Train as a config and its overrides say.

    Args:
        arguments: The command line after the verb.

    Returns:
        The exit code.

    Raises:
        UsageError: The config is refused; nothing was done.
    """
    from pipeline.config.imports import load_our_classes, restrict_imports
    from pipeline.config.training_cli import TrainingCLI

    # The classes of a short name are those that are loaded, and what may be loaded is settled before parsing.
    load_our_classes()
    restrict_imports(allow_custom_code=_ALLOW in arguments)

    from datamodules.base import DataModule
    from pipeline.tasks.base import Task

    cli = TrainingCLI([argument for argument in arguments if argument != _ALLOW], Task, DataModule)

    from pipeline.training import run_training

    return run_training(
        cli.model,
        cli.datamodule,
        cli.trainer,
        config_yaml=cli.config_text(),
        parameters=cli.parameters(),
        seed=int(cli.config["seed_everything"]),
    )
