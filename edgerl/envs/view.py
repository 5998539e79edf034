"""What environments have in common that show another environment's observations differently."""

from collections.abc import Mapping
from typing import Any, ClassVar

from edgerl.envs.environment import Environment, Params
from edgerl.envs.spaces import Box, Space
from edgerl.util.content import ByContent
from edgerl.util.errors import UserError

Names = tuple[str, ...]


class View(ByContent):
    """An environment whose states, rewards and ends are another one's, which observes vectors.

    Its `id` is a name of its own, since a policy of the one cannot play the other; `training` are settings of a run in
    it, where there are better ones than those found by random play. Baselines of the other's observations are not
    passed on. A frozen data class has these attributes.
    """

    env: Environment
    id: str
    training: Mapping[str, Any]

    PASSED_ON: ClassVar[Names] = (
        "render",
        "action_names",
    )  # of the optional members, those that do not speak of observations

    def __getattr__(self, name: str) -> Any:
        if name in self.PASSED_ON:
            return getattr(self.env, name)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    @property
    def default_params(self) -> Params:
        """The environment's own."""
        return self.env.default_params

    def action_space(self, params: Params | None = None) -> Space:
        """The environment's own."""
        return self.env.action_space(params)

    def _vectors(self, params: Params | None) -> Box:
        """The space of the environment's own observations.

        Raises:
          UserError: they are no vectors.
        """
        space = self.env.observation_space(params)
        if not isinstance(space, Box) or len(space.shape) != 1:
            raise UserError(f"{type(self).__name__}: {self.env.id} observes {space}; expected a vector")
        return space

    def _names(self) -> Names:
        """Of the environment's own observation, where there are some."""
        return tuple(getattr(self.env, "observation_names", ()))
