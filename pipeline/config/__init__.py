"""Configs and command lines: where files are found, what they may name, and what a refusal says."""
