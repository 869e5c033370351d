"""Fine-tuning by rewards that can be verified: answers are drawn, scored against the truth, and made more or less likely."""
