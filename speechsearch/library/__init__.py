"""Recordings on disk, in the database and in the index."""
