"""An event loop on epoll, the client connections on it, and the interface to what runs their calls."""
