"""What the classical stages share: n-grams, counts, word vectors, language models by counts, alignment, calibration."""
