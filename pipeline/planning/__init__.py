"""From a data set to a config: what the data is like, what fits the machine, and the reason for each choice."""
