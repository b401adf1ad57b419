"""What is printed on the terminal: one module a document."""
