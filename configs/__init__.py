"""Shipped experiment files."""
