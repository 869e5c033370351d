"""Scores of saved masks by the rules of each video-object-segmentation benchmark, named by protocol."""
