"""Clips with masks: the data sets of video object segmentation."""
