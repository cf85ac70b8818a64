"""Queues of calls that wait to be run: connections take turns, or another order."""
