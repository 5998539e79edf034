"""Latent NAS: an agent that walks a latent space of neural architectures, each of which can be built."""
