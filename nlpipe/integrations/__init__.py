"""Adapters to other libraries: scikit-learn, spaCy, CTranslate2."""
