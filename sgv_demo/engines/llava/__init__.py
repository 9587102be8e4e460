"""ShareGPT4Video-8B's parts: tiling, prompt tokens, network and kept prefixes, apart from the engine that joins them."""
