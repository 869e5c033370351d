"""Following objects through a clip: what is shown of them, by what files or boxes, and trackers without weights."""
