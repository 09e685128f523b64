"""Pure functions from a photograph to a letter, and from labelled photographs to a model."""
