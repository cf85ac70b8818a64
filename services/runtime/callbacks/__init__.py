"""Calls that wait on an event loop without a thread each."""
