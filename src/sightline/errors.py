"""The error that is the user's to mend, told apart from a mistake of ours."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something in the user's files, options or model output is wrong.

    The message says what, where (file, line or id), what was expected, what was found and what to do. The command line prints
    it as one paragraph and exits with 2; any other exception is a mistake of ours and is reported as such.
    """


def unknown_name(what: str, name: str, choices: Iterable[str]) -> InputError:
    """The error of a name that is none of `choices`, with the nearest of them and all; `what` is the kind of thing named."""
    known = list(choices)
    near = difflib.get_close_matches(name, known, n=1)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    return InputError(f"no {what} is called {name!r}.{meant} Choices: {', '.join(known)}.")
