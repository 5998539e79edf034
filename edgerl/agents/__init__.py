"""Learners: an environment in, a policy out. May import `edgerl.core` alone."""
