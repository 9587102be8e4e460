"""The native models behind the OpenAI protocol, for other programs and for the `remote` engine of other machines."""
