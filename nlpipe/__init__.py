"""nlpipe: classical-to-neural NLP pipelines, declared in YAML and compared fairly."""
