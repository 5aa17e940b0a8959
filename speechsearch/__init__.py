"""Find the moment in spoken recordings by meaning, without speech recognition."""

__version__ = "0.1.0"
