"""Adapters to other libraries and formats: scikit-learn, spaCy, CTranslate2, ARPA files."""
