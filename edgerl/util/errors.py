"""The one exception that means "the user's input is wrong".

The command line turns it into a single line on standard error and exit status 2; a library user can catch it. The
message says what is wrong, where, and what would be right.
"""

_MOST = 1000  # characters of a message: what a user typed may be longer than a line is read


class UserError(ValueError):
    """Input that cannot be used. Its message is one line: what is wrong, where, what would be right.

    Args:
      message: what to say; line breaks become visible marks.

    Example:
      >>> try:
      ...     edgerl.Discrete(0)
      ... except edgerl.UserError as error:
      ...     print(error)
      Discrete: n is 0; expected a whole number of actions, at least 1
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(str(message)))  # Gymnasium hands on an error of another process as `kind(error)`


def one_line(text: str) -> str:
    """The text as one line that any terminal shows: line breaks and the like as escapes, the middle of a long one left
    out. What a user typed, or the name of a file, may hold anything."""
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return plain if len(plain) <= _MOST else f"{plain[: _MOST - 300]} … {plain[-300:]}"
