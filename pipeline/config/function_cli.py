"""The command line of a verb that is one typed function: options and help from signature and docstring."""

import inspect
from argparse import RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args, get_origin, get_type_hints

import docstring_parser
from jsonargparse import ArgumentError, ArgumentParser

from pipeline.config import strict_yaml
from pipeline.config.errors import UsageError
from pipeline.config.schema import nearest, readable


def _description(text: str | None, fallback: str) -> tuple[str, dict[str, str], str]:
    """Return summary, help by argument and examples of a Google-style docstring."""
    parsed = docstring_parser.parse(text or "", style=docstring_parser.DocstringStyle.GOOGLE)
    helps = {part.arg_name: " ".join((part.description or "").split()) for part in parsed.params}
    examples = "\n".join(f"  {line.strip()}" for part in parsed.examples for line in _lines(part.description))
    summary = "\n\n".join(filter(None, (parsed.short_description, parsed.long_description)))
    return summary or fallback, helps, f"examples:\n{examples}\n\n" if examples else ""


def _metavar(name: str, annotation: Any) -> str:  # noqa: ANN401 -- any type hint
    return "|".join(map(str, get_args(annotation))) if get_origin(annotation) is Literal else name.upper()


def _lines(text: str | None) -> list[str]:
    return [line for line in (text or "").splitlines() if line.strip()]


def function_parser(function: Callable[..., int], verb: str) -> ArgumentParser:
    """Return the parser of a function's arguments; booleans are switches, hyphens stand for underscores.

    An option of type list takes one value or several behind it.

    Args:
        function: Annotated throughout, with an "Args" and an "Examples" section in its docstring.
        verb: Its name on the command line.
    """
    summary, helps, examples = _description(function.__doc__, verb)
    parser = ArgumentParser(
        prog=f"pipeline {verb}",
        description=summary,
        epilog=examples,
        formatter_class=RawDescriptionHelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
    )
    types = get_type_hints(function)
    for name, parameter in inspect.signature(function).parameters.items():
        options = list(dict.fromkeys([f"--{name.replace('_', '-')}", f"--{name}"]))
        help_text = helps.get(name, "")
        if types[name] is bool and parameter.default is False:
            parser.add_argument(*options, dest=name, action="store_true", help=help_text)
            continue
        several = get_origin(types[name]) is list
        required = parameter.default is inspect.Parameter.empty
        if not required and parameter.default is not None:
            help_text = f"{help_text} (default: {parameter.default})"
        parser.add_argument(
            *options,
            dest=name,
            type=get_args(types[name])[0] if several else types[name],
            nargs="+" if several else None,
            required=required,
            default=None if required else parameter.default,
            metavar=_metavar(name, types[name]),
            help=help_text.replace("%", "%%"),
        )
    return parser


def call_with_arguments(function: Callable[..., int], verb: str, arguments: Sequence[str]) -> int:
    """Call a function with what a command line says.

    Args:
        function: See `function_parser`.
        verb: Its name on the command line.
        arguments: The command line after the verb.

    Returns:
        What the function returns: the exit code.

    Raises:
        UsageError: An option is unknown, missing or of the wrong type.
        SystemExit: Help was asked for.
    """
    strict_yaml.install()
    parser = function_parser(function, verb)
    known = [f"--{name.replace('_', '-')}" for name in inspect.signature(function).parameters]
    for argument in arguments:
        option = argument.partition("=")[0].replace("_", "-")
        if option.startswith("--") and option not in (*known, "--help"):
            raise UsageError(f"unknown option '{option}'; the nearest is '{nearest(option, known)}'")
    try:
        values: dict[str, Any] = vars(parser.parse_args(list(arguments)))
    except (ArgumentError, TypeError, ValueError) as error:
        raise UsageError(_refusal(function, error)) from error
    return function(**{name: values[name] for name in inspect.signature(function).parameters})


def _refusal(function: Callable[..., int], error: Exception) -> str:
    """Return jsonargparse's message as one line, with the type as a user would say it."""
    message = " ".join(str(error).split())
    types = get_type_hints(function)
    for name, annotation in types.items():
        if f'Parser key "{name}"' in message:
            found = message.rsplit(" value: ", 1)[-1]
            return f"--{name.replace('_', '-')}: expected {readable(annotation)}, found {found}"
    return message
