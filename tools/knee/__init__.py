"""The highest rate at which a service meets an objective, with an interval over starts of the service."""
