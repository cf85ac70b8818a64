"""Servers on event loops of others: asyncio and grpcio."""
