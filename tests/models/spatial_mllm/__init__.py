"""Spatial-MLLM; needs torch and transformers."""
