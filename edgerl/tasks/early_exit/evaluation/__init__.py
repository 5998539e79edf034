"""Policies against thresholds, optimal stopping and other bounds, on images that nothing was fitted on."""
