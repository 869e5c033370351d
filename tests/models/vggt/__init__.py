"""VGGT; needs torch."""
