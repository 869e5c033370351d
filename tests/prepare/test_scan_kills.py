"""`prepare scan` killed without warning: the same command ends with the same bytes, and leaves nothing of its own lying about."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sightline.datasets.scans import open_scans
from sightline.prepare.scans import ScanFrameOptions, prepare_scans
from tests.scan_trees import HEIGHT, WIDTH, pose_at, write_picture, write_scannet_room, write_sens

NAME = "scene0000_00"
FRAMES = 2

# The parent is a fresh interpreter without threads, so that forking it is safe. A child dies before or after its n-th file appears.
AT_EVERY_FILE = """
import os, signal, sys
from pathlib import Path
from sightline.datasets.scans import open_scans
from sightline.prepare.scans import ScanFrameOptions, prepare_scans

source, out, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
real, seen = Path.replace, 0

def run(place):
    prepare_scans(open_scans("scannet", source), place, dataset="scannet", options=ScanFrameOptions())

for moment in range(2 * last):
    child = os.fork()
    if child == 0:
        def replace(self, target):
            global seen
            if seen == moment // 2 and moment % 2 == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            real(self, target)
            if seen == moment // 2:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1
        Path.replace = replace
        run(out / str(moment))
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), f"moment {moment}: it had finished"
    run(out / str(moment))
"""

AT_ANY_MOMENT = """
import os, random, signal, subprocess, sys, time

command, longest = sys.argv[3:], float(sys.argv[2])
moments, kills, folders = random.Random(0), 0, 0
while kills < 12:
    child = subprocess.Popen([*command, "--out", f"{sys.argv[1]}/{folders}"], start_new_session=True, stdout=-3, stderr=-3)
    try:
        child.wait(moments.uniform(0, longest))
        folders += 1  # it had finished: the next kills meet a fresh folder
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        kills += 1
for number in range(folders + 1):
    subprocess.run([*command, "--out", f"{sys.argv[1]}/{number}"], check=True, stdout=-3)
print(folders + 1)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("source")
    write_scannet_room(root / NAME)
    write_sens(root / NAME / f"{NAME}.sens", [pose_at(x) for x in np.linspace(-1, 1, FRAMES)])
    write_picture(root / NAME / "instance-filt/1.png", np.ones((HEIGHT, WIDTH), np.uint8))
    return root


def content(out: Path) -> dict[str, bytes]:
    """Every file but the lock."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != ".lock"
    }


def whole(source: Path, out: Path) -> dict[str, bytes]:
    prepare_scans(open_scans("scannet", source), out, dataset="scannet", options=ScanFrameOptions())
    return content(out)


def test_killed_before_and_after_each_of_its_files_it_ends_with_the_same_bytes(source, tmp_path):
    expected = whole(source, tmp_path / "whole")
    (tmp_path / "kills.py").write_text(AT_EVERY_FILE)
    command = [sys.executable, str(tmp_path / "kills.py"), str(source), str(tmp_path / "killed"), str(len(expected))]
    subprocess.run(command, check=True)
    for moment in range(2 * len(expected)):
        assert content(tmp_path / "killed" / str(moment)) == expected, f"moment {moment}"


@pytest.mark.slow
def test_killed_at_twelve_random_moments_with_two_workers_it_ends_with_the_same_bytes(source, tmp_path):
    command = [sys.executable, "-m", "sightline", "prepare", "scan", "--data", "scannet", "--root", str(source), "--workers", "2"]
    started = time.monotonic()
    subprocess.run([*command, "--out", str(tmp_path / "whole")], check=True, stdout=subprocess.DEVNULL)
    longest = str(time.monotonic() - started)
    (tmp_path / "kills.py").write_text(AT_ANY_MOMENT)
    kills = [sys.executable, str(tmp_path / "kills.py"), str(tmp_path / "killed"), longest, *command]
    folders = int(subprocess.run(kills, check=True, capture_output=True, text=True).stdout)
    expected = content(tmp_path / "whole")
    assert all(content(tmp_path / "killed" / str(number)) == expected for number in range(folders))
