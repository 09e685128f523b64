"""How many calls a key may make in a minute; counted in this process alone, so that n processes let n times pass."""

import math
import time
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.exceptions import HTTPException

from asl.contracts import Key

_WINDOW_S: Final = 60


class CallRates:
    """Counts the calls of keys that have a quota."""

    def __init__(self) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def count(self, key: Key) -> None:
        """Count a call.

        Raises:
            HTTPException: 429 with `Retry-After`, and the quota in the headers of the IETF's draft
                (draft-ietf-httpapi-ratelimit-headers-10).
        """
        if key.calls_per_minute is None:
            return
        quota = RateLimitItemPerMinute(key.calls_per_minute)
        if self._limiter.hit(quota, key.id):
            return
        wait_s = max(1, math.ceil(self._limiter.get_window_stats(quota, key.id).reset_time - time.time()))
        headers = {
            "Retry-After": str(wait_s),
            "RateLimit-Policy": f'"calls";q={key.calls_per_minute};w={_WINDOW_S}',
            "RateLimit": f'"calls";r=0;t={wait_s}',
        }
        raise HTTPException(429, headers=headers)
