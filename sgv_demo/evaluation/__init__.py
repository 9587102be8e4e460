"""Station 8: the paper's three benchmarks, run and scored. `table` names them, one file each."""
