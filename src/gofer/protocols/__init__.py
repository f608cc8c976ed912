"""How messages look on the wire: bytes to events, events to bytes. No socket, no clock."""
