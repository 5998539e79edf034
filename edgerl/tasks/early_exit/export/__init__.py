"""What an early-exit policy adds to an export: its features in C, and the whole network as a cascade."""
