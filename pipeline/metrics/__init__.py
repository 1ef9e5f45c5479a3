"""Scores of masks against references."""
