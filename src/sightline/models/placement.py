"""Which GPU a process takes where several processes hold a model each."""

import importlib.util


def gpu_of(process: int) -> str | None:
    """The GPU of process number `process`, in turns; None where torch is not installed or sees none."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - an extra

    count = torch.cuda.device_count()
    return f"cuda:{process % count}" if count else None
