"""Shared fixtures. Shapes and dtypes in jaxtyping annotations are checked while the tests run."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

install_import_hook("sightline", "beartype.beartype")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # pytest's processes are the parallelism; sums are those of the reference numbers

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real sample data beside a developer's checkout; skips the test where it is absent."""
    data = SHARED / "data"
    if not data.is_dir():
        pytest.skip(f"real sample data is not here ({data})")
    return data
