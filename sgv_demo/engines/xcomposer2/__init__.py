"""ShareCaptioner-Video's own network: InternLM-XComposer2 with 4K pictures, and Partial LoRA on their positions."""
