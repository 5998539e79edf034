"""Mountain car: a motor too weak for the hill gathers speed in the valley."""
