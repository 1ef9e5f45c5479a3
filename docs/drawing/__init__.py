"""Drawings of units and networks, made from the modules themselves."""
