"""The life of a client's connection, for threads and loops alike: accepted, read in turns, drained, closed."""
