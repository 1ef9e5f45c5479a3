"""The command `pipeline`: one verb per file of `pipeline/commands`, and what every verb's end looks like."""

import argparse
import importlib
import inspect
import logging
import pkgutil
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib.metadata import version

from pipeline import commands
from pipeline.config.errors import OWN_PACKAGES, UsageError
from pipeline.logs import set_up_logging

log = logging.getLogger(__name__)

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130
_EXAMPLES = """examples:
  pipeline train --config unet_ct.yaml
  pipeline predict --model last --input scans --output masks
  pipeline evaluate --input masks --reference labels --output scores
  pipeline train --help

exit codes: 0 all done, 1 failed, 2 wrong usage, 3 some cases failed and the rest are done
"""


def verbs() -> list[str]:
    """Return the names of the commands' files: each holds a function of its own name."""
    return sorted(entry.name for entry in pkgutil.iter_modules(commands.__path__) if entry.name[0] != "_")


def _parser() -> argparse.ArgumentParser:
    modules = {verb: importlib.import_module(f"{commands.__name__}.{verb}") for verb in verbs()}
    lines = [f"  {verb:10} {str(module.__doc__).splitlines()[0]}" for verb, module in modules.items()]
    parser = argparse.ArgumentParser(
        prog="pipeline",
        usage="pipeline [--help] [--version] VERB [options]",
        description="Train and run U-Nets on volumes, tracked in MLflow.\n\nverbs:\n" + "\n".join(lines),
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pipeline {version('segpose-pipeline')}")
    parser.add_argument("--debug", action="store_true", help="show the whole log, and tracebacks")
    return parser


def _run(verb: str, arguments: list[str]) -> int:
    """Call a verb's function: with the raw command line if it asks for that, else with typed arguments."""
    if verb not in verbs():
        best = get_close_matches(verb, verbs(), n=1, cutoff=0.0)[0]
        raise UsageError(f"unknown verb '{verb}'; the nearest is '{best}' (of {', '.join(verbs())})")
    function: Callable[..., int] = getattr(importlib.import_module(f"{commands.__name__}.{verb}"), verb)
    if list(inspect.signature(function).parameters) == ["arguments"]:
        return function(arguments)
    from pipeline.config.function_cli import call_with_arguments

    return call_with_arguments(function, verb, arguments)


def _is_expected(error: Exception) -> bool:
    """Tell an error whose message is all that a user needs from a mistake in the program."""
    return isinstance(error, OSError) or type(error).__module__.split(".")[0] in OWN_PACKAGES


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What stands after `pipeline`; None takes it from the process.

    Returns:
        The exit code: 0 all done, 1 failed, 2 wrong usage, 3 some cases failed, 130 interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [argument for argument in given if argument != "--debug"]
    set_up_logging(debug=debug)
    if not given or given[0].startswith("-"):
        parser = _parser()
        parser.parse_args(given)
        parser.print_help()
        return WRONG_USAGE
    try:
        return _run(given[0], given[1:])
    except UsageError as error:
        log.error("%s", error, exc_info=debug)
        return WRONG_USAGE
    except KeyboardInterrupt:
        log.error("interrupted", exc_info=debug)
        return INTERRUPTED
    except Exception as error:
        # The last stop of every command: whatever is not foreseen shows where it came from.
        log.error("%s", error, exc_info=debug or not _is_expected(error))
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
