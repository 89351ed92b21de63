"""The root of every error that a user can cause and mend."""


class NasError(Exception):
    """One clear sentence: the rule, what was received, what to do. The CLI prints it and exits with 1."""
