"""`python -m tools.bench`: models beside well-known programs, as experiments, and what each does when full."""
