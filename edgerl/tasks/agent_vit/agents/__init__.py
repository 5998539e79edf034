"""Agents that score patches, and the loop in which they learn."""
