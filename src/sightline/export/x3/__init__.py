"""The JSON files of the x3 pipeline (Solvement/RoboRefer-FineTuning): its rows, its pictures and its results.

`rows` and `prompts` are what a row looks like, `write` makes them of task sets, `read` and `rebuild` make task sets of them,
`results` is the JSON of its evaluator. docs/x3-pipeline.md has the commands and what survives a round trip.
"""
