"""The search space of NAS-Bench-201: six edges of five operations, with measured accuracies on analogue hardware."""
