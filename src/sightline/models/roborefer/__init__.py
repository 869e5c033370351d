"""RoboRefer (NVILA-Lite with depth): the RGB-D pointing model on transformers' SigLIP and Qwen2, in its published folder layout."""
