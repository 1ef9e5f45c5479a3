"""What the process returns to the shell."""

DONE = 0
FAILED = 1
WRONG_USAGE = 2
PARTLY_FAILED = 3  # some cases of a batch failed and the rest are done
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
