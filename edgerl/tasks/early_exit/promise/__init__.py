"""A promised accuracy loss: the cheapest threshold that is proven to keep it, and the proof's numbers."""
