"""What people see of a comparison."""
