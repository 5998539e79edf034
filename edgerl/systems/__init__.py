"""What is simulated: one folder a system, the same file names in each. May import `core` and `hardware`."""
