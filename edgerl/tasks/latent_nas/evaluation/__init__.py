"""An agent against searches at equal numbers of evaluations."""
