"""Many texts through one model: what ``nlpipe predict`` reads, answers in processes or on a cluster, and writes."""
