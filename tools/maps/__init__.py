"""Which model serves most, by CPU time and wait of a call and by connections: a coarse map of this machine."""
