"""The networks that a configuration asks for, for an environment."""

from edgerl.envs.environment import Environment, Params
from edgerl.envs.parameters import spaces_of
from edgerl.rl import normalisation
from edgerl.rl.config import PPOConfig
from edgerl.rl.heads import head_of
from edgerl.rl.layers import MLP
from edgerl.rl.networks import Networks
from edgerl.rl.normalisation import Statistics
from edgerl.rl.recurrent import GRU, RecurrentNetworks
from edgerl.util.errors import UserError


def make_networks(
    env: Environment, config: PPOConfig, env_params: Params | None = None, statistics: Statistics | None = None
) -> Networks:
    """Networks for an environment, whose spaces its parameters decide (by default the published ones).

    Args:
      statistics: of what was seen so far, where the configuration asks for some.
    Raises:
      UserError: the actions have no bounds, observations are not vectors, or `observation_scale` does not fit them.
    """
    observations, actions = spaces_of(env, env.default_params if env_params is None else env_params)
    shape = observations.shape
    head = head_of(env.id, actions)
    if len(shape) != 1:
        raise UserError(f"PPO needs observations that are vectors; {env.id} observes arrays of shape {shape}")
    scale = config.observation_scale or (1.0,) * shape[0]
    if len(scale) != shape[0]:
        raise UserError(f"observation_scale has {len(scale)} numbers; {env.id} observes {shape[0]}")
    size = normalisation.value_scale(config, statistics)
    seen = None if statistics is None else statistics.observations
    outputs = ((head.outputs, 0.01), (1, 1.0))  # and the last kernel's size at the start
    forms = [(config.hidden_sizes, number, gain, config.activation) for number, gain in outputs]
    if config.gru_size:
        units = [GRU(*form, config.gru_size, config.encoder_sizes, scale) for form in forms]
        return RecurrentNetworks(units[0], units[1], head, size, config.initial_std, seen)
    perceptrons = [MLP(*form, scale) for form in forms]
    return Networks(perceptrons[0], perceptrons[1], head, size, config.initial_std, seen)
