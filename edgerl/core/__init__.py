"""Contracts (environment, spaces, policy, configuration, files) and running many episodes at once.

Imports nothing of the house.
"""
