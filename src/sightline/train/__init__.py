"""Training: which samples come in which order, how they become tensors, and the loops over them.

The order is a pure function of a seed and a step, so that going on after an interruption needs one integer.
"""
