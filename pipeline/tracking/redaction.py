"""Passwords taken out of what is shown or kept."""

import re

# The second form holds passwords with an unescaped `/`, `?` or `#`, as database drivers take them; digits up to a
# slash are a port, and an `@` after them belongs to the path.
_USER = re.compile(r"(?<=://)(?:[^\s/?#]*@|[^\s/?#@:\[]*:(?!\d+(?:[/?#\s]|$))[^\s@]*@)")
_QUERY = re.compile(r"([?&](?:[\w.-]*(?:password|passwd|pwd|token|secret|signature|credential)|sig)=)[^&\s'\"]+", re.I)


def redact(text: str) -> str:
    """Return a text without the users and passwords of the URIs in it.

    Args:
        text: A URI, or any text with URIs such as `scheme://user:password@host` in it.
    """
    return _QUERY.sub(r"\1***", _USER.sub("", text))
