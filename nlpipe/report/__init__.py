"""What people see of a comparison: the terminal's table, Markdown."""
