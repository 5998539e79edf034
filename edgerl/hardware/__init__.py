"""Device profiles and cost: multiply-accumulates to latency and energy. May import `edgerl.core` alone."""
