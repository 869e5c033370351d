"""SAM 2; needs torch and transformers."""
