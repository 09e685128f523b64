"""What jobs do: fetch from the store, let the core work, hand over files to be stored."""
