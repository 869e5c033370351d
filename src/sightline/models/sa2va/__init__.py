"""Sa2VA (Yuan et al. 2025): a language model whose `[SEG]` tokens point SAM 2 at objects, in pictures and clips."""
