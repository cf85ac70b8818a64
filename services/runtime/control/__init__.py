"""The control port of a service: what it returns of the kernel, the model and the stages, and Prometheus' page."""
