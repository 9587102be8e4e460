"""ShareCaptioner-Video: InternLM-XComposer2 with 4K pictures, and Partial LoRA on their positions."""
