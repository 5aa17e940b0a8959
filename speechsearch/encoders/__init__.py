"""Things that turn words or sound into vectors."""
