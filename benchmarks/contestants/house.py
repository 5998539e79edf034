"""EdgeRL's own environments, for the contestants that run them."""

from worker import AbsentError

import edgerl
from edgerl.envs.environment import AutoReset, Environment


def make(id: str) -> Environment:
    """As `edgerl.make`; an environment whose table is not shipped is absent, not broken."""
    try:
        return edgerl.make(id)
    except edgerl.UserError as error:
        raise AbsentError(str(error)) from error


def with_reset(id: str) -> AutoReset:
    """With gymnax's `step`, which resets by itself."""
    return AutoReset(make(id))
