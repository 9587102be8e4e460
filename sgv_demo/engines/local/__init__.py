"""What every model on this machine needs: files, a device, memory, decoding."""
