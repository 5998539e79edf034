"""The message of a `UserError` is one line, whatever it is made of."""

from edgerl import UserError


def test_an_error_of_another_process_keeps_its_line():
    """Gymnasium's `AsyncVectorEnv` raises `type(error)(error)` for an error of one of its processes."""
    error = UserError("the key 'a\nb' is wrong")
    assert str(UserError(error)) == str(error) == "the key 'a\\nb' is wrong"
