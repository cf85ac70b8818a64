"""Which model, as how many pods of how many cores? Finds the highest rate that each cell of a grid serves in time."""
