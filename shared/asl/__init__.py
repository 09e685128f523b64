"""Reads the American Sign Language alphabet from photographs."""
