"""Calls that every service answers itself, whatever its model: health, reflection and gRPC's TestService."""
