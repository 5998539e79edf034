"""Learners: an environment in, a policy out. May import `util`, `envs` and `simulator`."""
