"""Task sets: what is on disk between a data set and a score (`store` reads, `build` writes)."""
