"""What processes have left in their log files."""

from pathlib import Path


def tail(log_file: Path, characters: int) -> str:
    """The end of a log file; an empty text where there is none."""
    try:
        return log_file.read_text("utf-8", errors="replace")[-characters:]
    except FileNotFoundError:
        return ""


def last_line(log_file: Path, characters: int) -> str:
    """The beginning of the last line that is not blank; an empty text where there is none."""
    lines = [line.strip() for line in tail(log_file, 100_000).splitlines() if line.strip()]
    return lines[-1][:characters] if lines else ""
