"""SAM 2: the trainable, object-batched clip model on transformers' sub-modules, its weights in both published forms."""
