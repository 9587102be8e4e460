"""Where a step runs: here, in turns on one GPU, in a slot of a shared one."""
