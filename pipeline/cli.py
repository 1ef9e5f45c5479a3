"""The command `pipeline`: one verb per file of `pipeline/commands`, and what every verb's end looks like."""

import argparse
import importlib
import inspect
import logging
import pkgutil
import sys
import traceback
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib.metadata import version

from pipeline import commands, exit_codes
from pipeline.config.errors import OWN_PACKAGES, UsageError
from pipeline.logs import set_up_logging
from pipeline.tracking.redaction import redact

log = logging.getLogger(__name__)

_EXAMPLES = """examples:
  pipeline check data
  pipeline plan data --output my.yaml --time 1h
  pipeline train --config my.yaml
  pipeline predict --model last --input scans --output masks
  pipeline pose --model last --input video.mp4 --output joints --overlay
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
        description="Train and run U-Nets on volumes and hourglasses on video, tracked in MLflow.\n\nverbs:\n"
        + "\n".join(lines),
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


def _report(error: Exception, *, with_traceback: bool) -> None:
    """Log an error; passwords are taken out of its traceback as well, which quotes the messages of its causes."""
    lines = [str(error), *(["".join(traceback.format_exception(error)).rstrip()] if with_traceback else [])]
    log.error("%s", redact("\n".join(lines)))


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
        return exit_codes.WRONG_USAGE
    try:
        return _run(given[0], given[1:])
    except UsageError as error:
        _report(error, with_traceback=debug)
        return exit_codes.WRONG_USAGE
    except KeyboardInterrupt:
        log.error("interrupted", exc_info=debug)
        return exit_codes.INTERRUPTED
    except Exception as error:
        # The last stop of every command: whatever is not foreseen shows where it came from.
        _report(error, with_traceback=debug or not _is_expected(error))
        return exit_codes.FAILED
