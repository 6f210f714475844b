"""What the readers of pictures say of one that they cannot read."""


class UnreadableError(Exception):
    """Goes on where the name of the picture ends; who knows the name makes a BadInputError of it."""

    def __init__(self, what: str = "is damaged", remedy: str = "get it anew") -> None:
        super().__init__(f"{what}: {remedy}")
        self.what = what
        self.remedy = remedy
