"""How calls reach the backend: HTTP/2 on a connection that calls share, and how a loop connects."""
