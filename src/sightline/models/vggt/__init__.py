"""VGGT: cameras, depth and points of a room from its pictures alone; the aggregator, its heads, and the published weights."""
