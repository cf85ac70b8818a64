"""Results in the formats of other tools: CSV, JUnit XML, HdrHistogram logs and OpenMetrics.

Void trials have no figures in any of them. Must not know how a trial is made.
"""
