"""Run the benchmarks named on the command line, or all that need no accelerator."""

import importlib
import sys

ALL = (
    "build_pairs",
    "score_many",
    "report_large",
    "endpoint",
    "report_filter",
    "serve",
    "jf",
    "boxes",
    "sam2_propagate",
    "sam2_step",
    "sa2va_clip",
    "box_to_mask",
    "vggt_memory",
    "look_up",
    "scale",
    "vlm_plan",
    "sens",
    "space_sampling",
    "vlm_packing",
    "qa_scene",
    "spatial_mllm_cache",
    "roborefer_batch",
)

if __name__ == "__main__":
    unknown = [name for name in sys.argv[1:] if name not in ALL]
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are {', '.join(ALL)}")
    for name in sys.argv[1:] or ALL:
        print(f"== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
