"""A policy in, files for a microcontroller out. May import `edgerl.core` alone."""
