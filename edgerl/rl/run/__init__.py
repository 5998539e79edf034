"""A training run: several seeds side by side, its folder, its log, its checkpoints."""
