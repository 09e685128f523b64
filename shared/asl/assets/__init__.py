"""Files that come with the package: the starter model and its card."""
