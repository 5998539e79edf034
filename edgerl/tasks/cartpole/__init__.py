"""CartPole: the lab's task, and the thinnest way from a simulator to a microcontroller."""
