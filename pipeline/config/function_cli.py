"""The command line of a verb that is one typed function: options and help from signature and docstring."""

import inspect
from argparse import RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

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


def _types(function: Callable[..., int]) -> dict[str, Any]:
    """Return the parameters' types, a list or a choice that may be left out as the list or the choice."""
    types = get_type_hints(function)
    for name, annotation in types.items():
        parts = [part for part in get_args(annotation) if part is not type(None)]
        if get_origin(annotation) in (Union, UnionType) and get_origin(parts[0]) in (list, Literal) and not parts[1:]:
            types[name] = parts[0]
    return types


def _metavar(name: str, annotation: Any) -> str:  # noqa: ANN401 -- any type hint
    annotation = get_args(annotation)[0] if get_origin(annotation) is list else annotation
    return "|".join(map(str, get_args(annotation))) if get_origin(annotation) is Literal else name.upper()


def _lines(text: str | None) -> list[str]:
    return [line for line in (text or "").splitlines() if line.strip()]


def function_parser(function: Callable[..., int], verb: str) -> ArgumentParser:
    """Return the parser of a function's arguments; booleans are switches, hyphens stand for underscores.

    An option of type list, or of a list or None, takes one value or several behind it. A first parameter that is
    positional-only, as in `def check(data: Path, /)`, may be given without its option: `pipeline check DATA`.

    Args:
        function: Annotated throughout, with an "Args" and an "Examples" section in its docstring.
        verb: Its name on the command line.
    """
    summary, helps, examples = _description(function.__doc__, verb)
    bare = _bare_parameter(function)
    parser = ArgumentParser(
        prog=f"pipeline {verb}",
        usage=f"pipeline {verb} {bare.upper()} [options]" if bare else None,
        description=summary,
        epilog=examples,
        formatter_class=RawDescriptionHelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
    )
    types = _types(function)
    for name, parameter in inspect.signature(function).parameters.items():
        options = list(dict.fromkeys([f"--{name.replace('_', '-')}", f"--{name}"]))
        help_text = helps.get(name, "")
        if types[name] is bool and parameter.default is False:
            parser.add_argument(*options, dest=name, action="store_true", help=help_text)
            continue
        several = get_origin(types[name]) is list
        required = parameter.default is inspect.Parameter.empty
        if name == bare:
            help_text = f"{help_text} {options[0]} itself may be left out."
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
        values: dict[str, Any] = vars(parser.parse_args(_with_bare_option(function, list(arguments))))
    except (ArgumentError, TypeError, ValueError) as error:
        raise UsageError(_refusal(function, error)) from error
    bound = inspect.signature(function).bind_partial()
    bound.arguments.update({name: values[name] for name in inspect.signature(function).parameters})
    return function(*bound.args, **bound.kwargs)


def _bare_parameter(function: Callable[..., int]) -> str | None:
    """Return the parameter whose option may be left out: a first one that is positional-only."""
    first = next(iter(inspect.signature(function).parameters.values()), None)
    return first.name if first and first.kind is inspect.Parameter.POSITIONAL_ONLY else None


def _with_bare_option(function: Callable[..., int], arguments: list[str]) -> list[str]:
    """Put the option of the bare parameter before the first argument that belongs to no option."""
    bare = _bare_parameter(function)
    if bare is None or any(argument.partition("=")[0] == f"--{bare.replace('_', '-')}" for argument in arguments):
        return arguments
    types = _types(function)
    position = 0
    while position < len(arguments):
        option, equals, _ = arguments[position].partition("=")
        if not option.startswith("-"):
            return [*arguments[:position], f"--{bare.replace('_', '-')}", *arguments[position:]]
        kind = types.get(option.lstrip("-").replace("-", "_"), bool)
        position += 1 if equals or kind is bool else 2
        while get_origin(kind) is list and position < len(arguments) and not arguments[position].startswith("-"):
            position += 1
    return arguments


def _refusal(function: Callable[..., int], error: Exception) -> str:
    """Return jsonargparse's message as one line, with the type as a user would say it."""
    message = " ".join(str(error).split())
    for name, annotation in _types(function).items():
        if f'Parser key "{name}"' in message:
            found = message.rsplit(" value: ", 1)[-1]
            return f"--{name.replace('_', '-')}: expected {readable(annotation)}, found {found}"
    return message
