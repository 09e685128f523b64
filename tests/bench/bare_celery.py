"""The floor of `bench_jobs.py`: a Celery worker whose only task answers at once, through Redis alone."""

import os

import redis
from celery import Celery

URL = os.environ["BARE_REDIS_URL"]
TASK = "bare.answer"

app = Celery("bare", broker=URL)
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=1, task_default_queue="bare", worker_pool="threads")
_client = redis.Redis.from_url(URL)


@app.task(name=TASK)
def answer(token):
    _client.lpush(token, "done")
