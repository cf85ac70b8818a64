"""Where something listens: how it is written, looked up, tried and listened at. Must not know services, loads or gRPC.

address.py   HOST:PORT, read and written
names.py     a name's addresses, also without blocking a loop
attempts.py  which address is tried next, for how long, and why none took the connection; no I/O
connect.py   a connection, for a thread that may block
listen.py    one socket for IPv4 and IPv6
receive.py   how many bytes are read at a time
"""
