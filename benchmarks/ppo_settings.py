"""What peers are given in `ppo`: their own settings, and for rejax on CartPole-v1 settings tuned here."""

from report import Numbers

# rejax 0.1.3's own settings for PPO on CartPole, its file configs/gymnax/cartpole.yaml.
PUBLISHED: Numbers = {
    "num_envs": 5,
    "num_steps": 100,
    "num_epochs": 5,
    "num_minibatches": 5,
    "learning_rate": 0.00075,
    "max_grad_norm": 0.5,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "clip_eps": 0.2,
    "ent_coef": 0.01,
    "vf_coef": 0.5,
    "agent_kwargs": {"activation": "tanh"},
}
# Budgets: on learning curves of six seeds, the first at which most were solved, and the published or default one.
RECOMMENDED: tuple[Numbers, ...] = (
    {**PUBLISHED, "total_timesteps": 70_000},
    {**PUBLISHED, "total_timesteps": 100_000},
    {**PUBLISHED, "num_envs": 10, "total_timesteps": 70_000},
    {"num_envs": 32, "total_timesteps": 98_304},
    {"total_timesteps": 131_072},  # the defaults of its class
)
# The best of a search over environments, steps, epochs, minibatches, learning rate, discount and entropy.
LARGE_STEPS: Numbers = {
    "num_epochs": 4,
    "num_minibatches": 4,
    "num_steps": 32,
    "learning_rate": 0.005,
    "max_grad_norm": 0.5,
    "ent_coef": 0.0,
    "agent_kwargs": {"activation": "tanh"},
}
TUNED: tuple[Numbers, ...] = (
    {**LARGE_STEPS, "num_envs": 32, "gamma": 0.98, "total_timesteps": 57_344},
    {**LARGE_STEPS, "num_envs": 32, "gamma": 0.98, "total_timesteps": 81_920},
    {**LARGE_STEPS, "num_envs": 64, "gamma": 0.99, "total_timesteps": 90_112},
    {**LARGE_STEPS, "num_envs": 32, "gamma": 0.98, "total_timesteps": 57_344, "agent_kwargs": {"activation": "relu"}},
    {**LARGE_STEPS, "num_envs": 64, "gamma": 0.99, "total_timesteps": 90_112, "agent_kwargs": {"activation": "relu"}},
    *(
        {
            **LARGE_STEPS,
            "num_envs": 32,
            "gamma": 0.98,
            "total_timesteps": 57_344,
            "agent_kwargs": {"activation": activation, "hidden_layer_sizes": [32, 32]},  # edgerl's
        }
        for activation in ("tanh", "relu")
    ),
)

# RL Baselines3 Zoo's hyper-parameters of PPO for CartPole-v1.
ZOO: Numbers = {
    "num_envs": 8,
    "total_timesteps": 100_000,
    "rate": 0.001,
    "clip": 0.2,
    "n_steps": 32,
    "batch_size": 256,
    "gae_lambda": 0.8,
    "gamma": 0.98,
    "n_epochs": 20,
    "ent_coef": 0.0,
}

# rejax 0.1.3's own settings for PPO on Pendulum, its file configs/gymnax/pendulum.yaml, and shorter ones.
PUBLISHED_PENDULUM: Numbers = {
    "num_envs": 100,
    "num_steps": 100,
    "num_epochs": 10,
    "num_minibatches": 10,
    "learning_rate": 0.001,
    "max_grad_norm": 10,
    "gamma": 0.995,
    "gae_lambda": 0.95,
    "clip_eps": 0.2,
    "ent_coef": 0.0,
    "vf_coef": 0.5,
    "normalize_observations": True,
    "agent_kwargs": {"activation": "swish"},
}
RECOMMENDED_PENDULUM: tuple[Numbers, ...] = tuple(
    {**PUBLISHED_PENDULUM, "total_timesteps": steps} for steps in (100_000, 150_000, 300_000)
)

# RLtools' own settings for SAC on Pendulum, its file src/rl/zoo/pendulum-v1/sac.h, and its example's, which takes less
# temperature at first. What it does not name is the default of its Python interface, which is the same as in C++.
SAC_ZOO: Numbers = {"STEP_LIMIT": 10_000, "ALPHA": 1.0}
SAC_EXAMPLE: Numbers = {"STEP_LIMIT": 10_000}
RLTOOLS_PENDULUM: tuple[Numbers, ...] = tuple(
    {"algorithm": "SAC", "config": config, "steps": steps}
    for config in (SAC_ZOO, SAC_EXAMPLE)
    for steps in (3_500, 4_000, 5_000, 6_000, 10_000)
)
