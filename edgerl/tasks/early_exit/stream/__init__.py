"""Early exits on a stream of frames: a queue, deadlines, and a battery that the sun charges."""
