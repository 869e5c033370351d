"""Vision-language checkpoints that transformers runs on this machine: asked (`hf:FOLDER`) and trained."""
