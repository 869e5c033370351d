"""Clips and pictures with expressions that mean objects in them."""
