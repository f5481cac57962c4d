"""Measurements, run by hand with `make bench`: they print figures and ratios, and never fail."""
