"""What a vision-language model is trained on, and at which step, without any model: samples, mixtures, lengths, plan, labels."""
