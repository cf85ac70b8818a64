"""Client connections and calls that have a thread, and event loops in several threads."""
