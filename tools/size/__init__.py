"""How many pods of which model serve a rate: a search for what one pod serves, and the arithmetic."""
