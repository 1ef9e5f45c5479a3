"""What a user typed wrong, and whose errors speak for themselves."""

# An exception defined in these says all that a user needs; any other is a mistake in the program.
OWN_PACKAGES = ("datamodules", "networks", "pipeline")


class UsageError(Exception):
    """A command line or config that is refused before any work; ends as one line and exit code 2."""
