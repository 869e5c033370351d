"""Training of Sa2VA: words to masks, in pictures and clips, and conversations without masks beside them."""
