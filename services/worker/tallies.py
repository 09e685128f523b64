"""What a worker process has counted since it started."""

import threading
from dataclasses import dataclass, field


@dataclass
class Tallies:
    """Safe to use from many threads."""

    n_done: int = 0
    n_fenced: int = 0
    n_running: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count_done(self) -> None:
        """Count a job that was brought to an end here."""
        with self._lock:
            self.n_done += 1

    def count_fenced(self) -> None:
        """Count a late write that was refused."""
        with self._lock:
            self.n_fenced += 1

    def count_running(self, change: int) -> None:
        """Count a job that starts (1) or leaves (-1)."""
        with self._lock:
            self.n_running += change
