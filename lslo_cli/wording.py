"""How messages count things."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 job``, ``2 jobs``, ``1,012 sentences``; a ``plural`` is needed where an s does not make it."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
