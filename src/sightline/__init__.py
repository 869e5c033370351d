"""Sightline: spatial-grounding tasks from masks, boxes, depth and camera poses; predict, score and look."""

from sightline.torchvision_cpu import install

__version__ = "0.1.0"

install()  # before anything imports transformers, see there
del install
