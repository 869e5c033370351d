"""The error that is the user's to mend, told apart from a mistake of ours."""


class InputError(ValueError):
    """Something in the user's files, options or model output is wrong.

    The message says what, where (file, line or id), what was expected, what was found and what to do. The command line prints
    it as one paragraph and exits with 2; any other exception is a mistake of ours and is reported as such.
    """
