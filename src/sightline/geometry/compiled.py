"""Loops compiled by numba at their first call, and kept on disk for later processes where there is a place for it."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function compiled without the interpreter's lock. Put `typing.no_type_check` below it: numba compiles no wrapped ones."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError as error:  # numba's word for "no folder to keep it in": read-only installation without a home
        if "no locator available" not in str(error):
            raise
        return numba.njit(nogil=True)(function)
