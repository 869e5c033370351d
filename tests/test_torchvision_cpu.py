import subprocess
import sys

import pytest

from sightline.torchvision_cpu import TorchvisionFinder, install, is_cuda_build, plain_nms


def test_importing_sightline_installs_one_finder_and_imports_no_torch():
    script = (
        "import sys; import sightline, sightline.models.huggingface.asked; sightline.torchvision_cpu.install(); "
        "assert not {'torch', 'torchvision', 'transformers'} & sys.modules.keys(); "
        "assert [type(finder).__name__ for finder in sys.meta_path].count('TorchvisionFinder') == 1"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)
    install()
    assert sum(isinstance(finder, TorchvisionFinder) for finder in sys.meta_path) == 1


@pytest.mark.parametrize(
    ("version", "expected"),
    [("__version__ = '0.28.0+cu130'\n", True), ('__version__ = "0.28.0+cpu"\n', False), ("__version__ = '0.28.0'\n", False)],
)
def test_a_cuda_build_is_told_by_its_own_version(tmp_path, version, expected):
    assert not is_cuda_build(tmp_path)
    (tmp_path / "version.py").write_text(version + "cuda = '+cu130'\n")
    assert is_cuda_build(tmp_path) == expected


def test_torchvision_and_what_needs_it_can_be_imported_and_suppress_overlapping_boxes():
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'sightline[models]'")
    pytest.importorskip("torchvision", reason="torchvision is not installed: pip install 'sightline[models]'")
    from torchvision.ops import batched_nms, nms  # noqa: PLC0415 # pyright: ignore[reportMissingImports]
    from transformers import Qwen2VLImageProcessor, Sam2ImageProcessor  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    assert Qwen2VLImageProcessor().merge_size == 2
    assert Sam2ImageProcessor() is not None
    # The first two overlap by 9 x 10 of 11 x 10: IoU 90 / 110 = 0.82. The third is apart.
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30]])
    scores = torch.tensor([0.5, 0.9, 0.1])
    for suppress in (nms, plain_nms):
        assert suppress(boxes, scores, 0.8).tolist() == [1, 2]
        assert suppress(boxes, scores, 0.85).tolist() == [1, 0, 2]
        assert suppress(boxes[:0], scores[:0], 0.5).tolist() == []
    assert batched_nms(boxes, scores, torch.tensor([0, 1, 0]), 0.5).tolist() == [1, 0, 2]
