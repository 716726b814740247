"""Bounds of whole numbers, for the configuration, for options and for files. Light: nothing is imported here."""

LARGEST = 10**12
"""No number of lines, tokens, updates and the like is larger."""
LARGEST_SEED = 2**64 - 1
"""What torch's generators take."""
LONGEST = 1_000_000
"""Tokens of a sentence, and positions in it."""
MOST_LAYERS = 64
MOST_UNITS = 65_536
"""Units of a layer, and the size of a word vector."""
MOST_WORDS = 10_000_000
"""Tokens of a vocabulary."""
WIDEST = 10_000
"""Hypotheses that a search keeps, and samples that are drawn of a line."""
MOST_THREADS = 1024
MOST_SEEDS = 1000
"""Runs of one configuration."""


def told(value: int) -> str:
    """The number as a message shows it: Python itself refuses to write out thousands of digits."""
    if abs(value) < 10**30:
        return str(value)
    return f"{'-' if value < 0 else ''}2^{value.bit_length() - 1} or more"
