"""Processes that a service forks, and how connections and calls go from one to another."""
