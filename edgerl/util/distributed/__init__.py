"""Several processes as one: meeting, sharing results, and what happens when one of them dies."""
