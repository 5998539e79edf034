"""Imports the package before any test imports JAX, so that the host shows one device a core."""

import edgerl  # noqa: F401
