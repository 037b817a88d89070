"""What is shown of each kind of result, and of the answers of commands, as lines of text."""
