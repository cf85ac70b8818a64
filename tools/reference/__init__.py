"""`python -m tools.reference`: a server of others that models are compared with, started and read like a model."""
