"""Environments as Gymnasium's, and gymnax's as ours."""
