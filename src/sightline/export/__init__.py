"""Foreign formats, out and in: one file or folder for each."""
