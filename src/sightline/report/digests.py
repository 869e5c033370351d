"""Short names of long things: digests of a recipe, of a run's settings, and of the weights that answered."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from sightline.evaluate.run import RunInfo

DIGEST = re.compile(r"[0-9a-f]{16,}")


def config_digest(config: Mapping[str, Any]) -> str:
    """32 hexadecimal digits of a plain mapping; the order of its keys does not matter."""
    plain = json.dumps(config, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()[:32]


def settings_digest(info: RunInfo) -> str:
    """Of all that a run was told: the model's description, the dialect and its options."""
    return config_digest({"model": info.description, "dialect": info.dialect, "options": info.dialect_options})


def weights(info: RunInfo) -> str:
    """The digest of the weights that the run recorded (for checkpoints `models.checkpoint.Checkpoint.revision`), or that there is
    none to show."""
    revision = info.description.get("revision")
    if isinstance(revision, str) and DIGEST.fullmatch(revision):
        return revision
    return "none (a baseline)" if info.description.get("kind") == "baseline" else "not known"
