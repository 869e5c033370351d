"""Spatial-MLLM: a Qwen vision-language model whose visual tokens carry VGGT's geometry; fusions, positions, frames and weights."""
