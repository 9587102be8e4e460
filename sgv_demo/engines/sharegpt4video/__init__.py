"""ShareGPT4Video-8B: LLaVA-NeXT on Llama 3."""
