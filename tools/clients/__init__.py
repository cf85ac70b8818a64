"""Load programs beside our own driver: h2load and others make the closed loop of a point, and report what they saw.

`programs.py` has a row for each. Must not know what is compared, nor where a result is stored.
"""
