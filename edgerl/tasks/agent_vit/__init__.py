"""AgentViT: an agent that chooses the patches on which a vision transformer is trained, and so what training costs."""
