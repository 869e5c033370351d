"""Sightline: spatial-grounding tasks from masks, boxes, depth and camera poses; predict, score and look."""

__version__ = "0.1.0"
