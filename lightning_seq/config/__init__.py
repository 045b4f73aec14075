"""From the words of a command to one checked configuration."""
