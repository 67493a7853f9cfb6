"""One run on disk: its four steps, its result, its identity, its costs."""
