"""Several pipelines on one data set, with the same seeds and the same metrics."""
