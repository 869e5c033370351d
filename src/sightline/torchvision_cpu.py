"""Lets `import torchvision` succeed beside a CPU-only torch.

The torchvision wheels on PyPI for Linux are CUDA builds. Beside a torch without CUDA their compiled part cannot be loaded, and the
Python part then fails while it is imported: "operator torchvision::nms does not exist". transformers, peft and lightning look only
at whether torchvision is installed, so its mere presence breaks them; without it, the image processors of Qwen2.5-VL, Qwen3-VL and
others cannot be built.

Before the first import of torchvision, when torch has neither CUDA nor HIP and torchvision says that it is a `+cu` build, the two
operators that its import misses are defined: `nms` with a plain CPU implementation, `qnms` by its schema alone. Before its `ops`
are imported, it is told that it has operators (of CUDA version -1, none), or else its own `nms` would refuse. Elsewhere nothing is
done. `roi_align` and the decoders of torchvision.io stay unavailable. `install` costs nothing: torch is not imported before
torchvision is.
"""

import re
import sys
from collections.abc import Iterable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_CUDA_BUILD = re.compile(r"""^__version__\s*=\s*['"][^'"]*\+cu\d""", re.MULTILINE)
_kept: list[Any] = []
"""The operator library: its definitions end with it."""


class TorchvisionFinder(MetaPathFinder):
    """Finds nothing; the first search for torchvision and for its `ops` makes ready what they will miss."""

    def find_spec(
        self,
        fullname: str,
        path: Iterable[str] | None = None,  # noqa: ARG002 - None for a top-level package; the path of namespace packages is no sequence
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname == "torchvision":
            spec = PathFinder.find_spec(fullname, None, target)
            if spec is not None and spec.origin is not None and is_cuda_build(Path(spec.origin).parent):
                _define_operators()
        elif fullname == "torchvision.ops" and _kept:
            sys.modules["torchvision.extension"].__dict__["_has_ops"] = lambda: True
        return None


def install() -> None:
    """Put the finder in front of all others, once in a process."""
    if not any(isinstance(finder, TorchvisionFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, TorchvisionFinder())


def is_cuda_build(package: Path) -> bool:
    """Whether the torchvision in this folder says `+cu` in its version.py (its wheel's metadata leaves that out)."""
    version = package / "version.py"
    return version.is_file() and _CUDA_BUILD.search(version.read_text(encoding="utf-8")) is not None


def _define_operators() -> None:
    import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - an extra

    if torch.version.cuda is not None or torch.version.hip is not None or _kept:
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}{SCHEMA}")
    library.impl("nms", plain_nms, "CPU")
    library.define("_cuda_version() -> int")
    library.impl("_cuda_version", lambda: -1, "CompositeExplicitAutograd")
    _kept.append(library)


def plain_nms(boxes: Any, scores: Any, iou_threshold: float) -> Any:  # noqa: ANN401 - tensors of an extra
    """Non-maximum suppression: indices of the boxes that stay, best score first.

    A box goes if its overlap (IoU) with a better one that stays is above `iou_threshold`. boxes (N, 4) xyxy, scores (N,) -> (K,).
    """
    import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])  # (N,)
    waiting = scores.argsort(descending=True, stable=True)
    kept = []
    while len(waiting):
        best, rest = waiting[0], waiting[1:]
        kept.append(best)
        corners = torch.cat([boxes[rest, :2].maximum(boxes[best, :2]), boxes[rest, 2:].minimum(boxes[best, 2:])], dim=1)  # (R, 4)
        shared = (corners[:, 2:] - corners[:, :2]).clamp(min=0).prod(dim=1)  # (R,)
        waiting = rest[shared <= iou_threshold * (areas[rest] + areas[best] - shared)]
    return torch.stack(kept) if kept else torch.empty(0, dtype=torch.int64)
