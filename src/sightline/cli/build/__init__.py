"""`sightline build`: one module for each kind of task set. Importing this package registers the commands."""

from sightline.cli.build import app, benchmarks, qa, refer, relations, scan_qa, segment

__all__ = ["app", "benchmarks", "qa", "refer", "relations", "scan_qa", "segment"]
