"""The statistics of a measurement: intervals, verdicts, looks. Pure functions; docs/measuring.md describes the rules.

Must not know of services, files, or what a measure means.
"""
