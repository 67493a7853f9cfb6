"""What ``nlpipe predict`` reads and writes; and many texts through one model, in processes or on a cluster."""
