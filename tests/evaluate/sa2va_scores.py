"""The reference implementation's own scores, where they are beside the checkout."""

import json
from pathlib import Path
from typing import Any

import pytest

from sightline.types import MaskRle


def read_scores(shared_data: Path, name: str) -> Any:
    """One of its files, masks still as plain dicts; skips where there are none."""
    folder = shared_data.parent / "golden" / "sa2va" / "metrics"
    if not folder.is_dir():
        pytest.skip(f"the reference scores are not here ({folder})")
    return json.loads((folder / name).read_text())


def to_rle(plain: dict[str, Any] | None) -> MaskRle | None:
    return None if plain is None else MaskRle(height=plain["size"][0], width=plain["size"][1], counts=plain["counts"])
