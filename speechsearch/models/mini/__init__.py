"""The shipped model: from sound to phonemes, words and vectors."""
