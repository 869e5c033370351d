"""Worker processes start with what they need, and no more."""

import subprocess
import sys


def test_a_worker_does_not_load_what_only_the_whole_build_needs() -> None:
    # Arrow takes as long to load as a scene to build; it is at hand in the process that writes the index
    code = "import sys, sightline.taskset.pool; print('pyarrow' in sys.modules, 'sightline.taskset.shards' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert said.split() == ["False", "True"]
