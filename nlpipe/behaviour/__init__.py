"""What a fitted pipeline does with texts that were made to test it: suites of expectations, and shifts by group."""
