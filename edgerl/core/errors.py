"""The one exception that means "the user's input is wrong".

The command line turns it into a single line on standard error and exit status 2; a library user can catch it. The
message says what is wrong, where, and what would be right.
"""


class UserError(ValueError):
    """Input that cannot be used. Its message is one line: what is wrong, where, what would be right."""
