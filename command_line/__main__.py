"""`python -m command_line`, for where the command `unfreeze` is not installed."""

import sys

from command_line.main import main

if __name__ == "__main__":
    sys.exit(main())
