"""The command line."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    del argv
    return 64
