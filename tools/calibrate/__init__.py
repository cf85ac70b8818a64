"""What the driver can do on this machine, measured against a server and a client that do next to nothing."""
