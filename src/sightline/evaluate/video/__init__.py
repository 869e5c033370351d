"""Scores of masks and boxes over the frames of a clip."""
