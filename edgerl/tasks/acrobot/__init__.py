"""Acrobot: two links swing up by a torque at the joint between them."""
