"""Errors: what the user can mend. The command line prints them in one line and exits with code 2.

Form of every message: `where: expected what, got what (hint)`.
"""


class UserError(Exception):
    """A mistake that the user can mend; never an internal fault."""


class ConfigError(UserError):
    """The configuration is wrong: a key, a value, or two keys that contradict each other."""


class DataError(UserError):
    """A file that is read or written is missing, unreadable, unwritable or malformed."""


class ProcessError(UserError):
    """One of several processes has ended before the others, or was started with something else than they."""


class CheckpointError(UserError):
    """A run, model folder or checkpoint is missing, damaged or does not fit the configuration."""
