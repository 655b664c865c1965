"""The error that tells a user which of their inputs is wrong, and what to try."""


class InputError(ValueError):
    """A file, option or array given by the user cannot be used.

    The message names the file or option, says what was expected and what to try. The command line
    prints it without a traceback and exits with status 2.
    """
