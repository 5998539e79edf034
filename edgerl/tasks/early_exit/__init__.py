"""Early exit: when to stop computing a network that has a classifier after every stage."""
