"""Numbers with nouns in messages."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 job``, ``2 jobs``, ``1,012 sentences``; ``plural`` is for irregular ones."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
