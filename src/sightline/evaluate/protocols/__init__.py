"""The rules of others beside ours: each benchmark's and pipeline's own way of counting, by name."""
