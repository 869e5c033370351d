"""A small HTTP service that answers where something is in a picture: what a robot or a simulator calls in a loop.

`posted` reads a request, `batcher` puts waiting ones together, `service` asks the model, `routes` says what each address does, and
`server` speaks HTTP. Nothing is read from or written to disk for a request.
"""
