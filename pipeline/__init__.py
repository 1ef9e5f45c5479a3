"""Command line, tasks, losses, metrics, inference and tracking: what a user runs."""
