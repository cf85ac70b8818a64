"""Load programs beside our own driver: h2load and others load a point in a closed loop, and report the calls.

`programs.py` has a row for each. Must not know what is compared, nor where a result is stored.
"""
