"""The table of architectures: its search space, its rows, and how far they can be trusted."""
