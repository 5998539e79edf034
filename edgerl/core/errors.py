"""The one exception that means "the user's input is wrong".

The command line turns it into a single line on standard error and exit status 2; a library user can catch it. The
message says what is wrong, where, and what would be right.
"""


class UserError(ValueError):
    """Input that cannot be used. Its message is one line: what is wrong, where, what would be right."""

    def __init__(self, message: str) -> None:
        """What is quoted from a file or a name may hold line ends and what moves a terminal's cursor: it is escaped."""
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in message))
