"""Pendulum: a torque too weak to lift it swings it up, and holds it."""
