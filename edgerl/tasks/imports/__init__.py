"""Policies that other libraries trained: readers of their files, and what becomes of them."""
