"""Files, configuration, errors, checkpoints, memory, plots. Imports nothing of the house."""
