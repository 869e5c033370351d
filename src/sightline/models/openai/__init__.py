"""Models behind a server that speaks the OpenAI chat protocol: `openai:URL#NAME`."""
