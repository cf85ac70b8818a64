"""Compares runs: two results, a result with a saved baseline, or the arms of one result.

Must not know how a trial is made, nor tables or plots.
"""
