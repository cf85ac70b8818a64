"""`python -m tools.bench`: what the models reach, as ratios to each other and to well-known programs."""
