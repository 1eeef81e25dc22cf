"""What a correct model must make of the events."""


class TruthWriter:
    """Truth files; filled in with the next change."""

    def __init__(self, *_: object) -> None:
        """Take folder, settings and prices."""

    def write(self, *_: object) -> None:
        """Add one block."""

    def close(self) -> None:
        """Finish all files."""
