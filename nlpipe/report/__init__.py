"""What is written for people to look at: pages that need nothing but a browser."""
