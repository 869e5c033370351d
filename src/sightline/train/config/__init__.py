"""Configuration: Hydra composes plain values out of YAML and overrides, `typed` makes a frozen class of them, `expand` lists
sweeps."""
