"""Baselines without weights: what stands in every table, and what a model must beat before its number means anything."""
