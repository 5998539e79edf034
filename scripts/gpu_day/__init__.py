"""What `scripts/gpu` measures, a file a part."""
