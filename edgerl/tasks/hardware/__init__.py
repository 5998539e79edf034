"""Boards, and what a network costs on them: multiply-accumulates to latency and energy."""
