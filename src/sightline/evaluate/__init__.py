"""From a task set and a model to numbers: `predict`, `score`, `summary`; `run` is the folder that they share."""
