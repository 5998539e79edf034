"""Many episodes at once, in one compiled call. May import `util` and `envs`."""
