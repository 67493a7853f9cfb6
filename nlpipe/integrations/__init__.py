"""Other libraries' ways in and out: scikit-learn, spaCy, transformers, CTranslate2."""
