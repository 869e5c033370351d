"""What a run was made with: versions of packages, and the commit of the source."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

PACKAGES = ("sightline", "torch", "lightning", "transformers", "peft", "numpy")


def versions() -> dict[str, str]:
    """Python and the packages that decide on numbers, as far as they are installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_commit(folder: Path = Path(__file__).parent) -> str | None:
    """The commit that a folder is checked out at, with `+changed` where files differ from it; None outside a checkout."""
    try:
        head = subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        status = subprocess.run(
            ["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True, check=True
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+changed" if status.stdout.strip() else "")
