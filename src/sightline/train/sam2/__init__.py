"""Training SAM 2 on clips: windows of videos as batches of frames and masks."""
