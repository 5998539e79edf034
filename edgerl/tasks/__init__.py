"""One folder a problem. A task may import everything below it, but no other task."""
