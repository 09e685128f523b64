"""What touches the machine around the core: settings and logs; it knows nothing of hands."""
