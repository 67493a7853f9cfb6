"""Several pipelines on one data set."""
