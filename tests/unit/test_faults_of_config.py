"""What this machine lacks for a protocol is found when it is read, all at once, with its lines."""
