"""Processes that serve the platform over a network."""
