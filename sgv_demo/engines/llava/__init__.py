"""ShareGPT4Video-8B's parts: tiling, prompt tokens, network, kept prefixes. `sharegpt4video.py` joins them."""
