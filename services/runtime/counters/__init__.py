"""What a service counts and reports: cells of memory that all its processes share. Knows no connection."""
