"""The HTTP gateway: answers recognition calls in its own process."""
