"""The command line: `asl ...` does every step on local files."""
