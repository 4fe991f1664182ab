"""Texts of others in messages: what cannot be seen, or what a terminal would obey, is made visible."""

JOINERS = "\u200c\u200d"
"""They belong to the spelling of words, in Persian and Hindi for instance, and no terminal obeys them."""


def escaped(text: str, *, keep: str = "") -> str:
    """What cannot be printed as an escape, a tab as \\t, but for the characters to keep."""
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)


def masked(text: str, most: int | None = None) -> str:
    """The first `most` characters (None: all), a question mark for each that cannot be printed."""
    return "".join(c if c.isprintable() else "?" for c in text[:most])
