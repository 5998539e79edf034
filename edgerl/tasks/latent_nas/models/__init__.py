"""The frozen networks: the autoencoder of architectures and the surrogate of their accuracy."""
