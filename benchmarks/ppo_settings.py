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

# rejax 0.1.3's own settings for PPO on Pendulum, its file configs/gymnax/pendulum.yaml. That file says 150,000 steps
# and an evaluation every 2,000, but an update's 10,000 are made between any two of them: 750,000 in all.
PUBLISHED_PENDULUM: Numbers = {
    "num_envs": 100,
    "num_steps": 100,
    "num_epochs": 10,
    "num_minibatches": 10,
    "learning_rate": 0.001,
    "max_grad_norm": 10,
    "total_timesteps": 750_000,
    "gamma": 0.995,
    "gae_lambda": 0.95,
    "clip_eps": 0.2,
    "ent_coef": 0.0,
    "vf_coef": 0.5,
    "normalize_observations": True,
    "agent_kwargs": {"activation": "swish"},
}

# RLtools' own settings on Pendulum: PPO's of its example src/rl/environments/pendulum/ppo/cpu, SAC's of its zoo. What
# they do not name has the same default in its Python interface. Budgets: the published one of PPO (300,000 steps of the
# environment are 74 of its loop's), and shorter ones. With its zoo's settings PPO did not get there within 500,000
# steps on two seeds.
RLTOOLS_PPO: Numbers = {
    "STEP_LIMIT": 74,
    "N_ENVIRONMENTS": 4,
    "ON_POLICY_RUNNER_STEPS_PER_ENV": 1024,
    "BATCH_SIZE": 256,
    "ACTION_ENTROPY_COEFFICIENT": 0.0,
    "N_EPOCHS": 2,
    "GAMMA": 0.9,
    "INITIAL_ACTION_STD": 2.0,
    "OPTIMIZER_EPSILON": 1e-8,
    "OPTIMIZER_EPSILON_SQRT": 1e-8,
}
RLTOOLS_SAC: Numbers = {"STEP_LIMIT": 10_000, "ALPHA": 1.0}
RLTOOLS_PUBLISHED: Numbers = {"algorithm": "PPO", "config": RLTOOLS_PPO, "steps": 74}
RLTOOLS_SHORTER: tuple[Numbers, ...] = (
    *({**RLTOOLS_PUBLISHED, "steps": steps} for steps in (30, 40, 50, 60)),
    {"algorithm": "SAC", "config": RLTOOLS_SAC, "steps": 4_000},
)
