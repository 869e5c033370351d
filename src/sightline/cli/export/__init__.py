"""`sightline export` and `sightline import`. Importing this package registers the commands."""

from sightline.cli.export import clips, exchange, formats, qa, relations, submission

__all__ = ["clips", "exchange", "formats", "qa", "relations", "submission"]
