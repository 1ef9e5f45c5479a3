"""What is wrong with a data set before anything is trained on it, and what is known of each case."""
