"""Recognition behind Ray Serve: two replicas, the form's file read by Starlette."""

import argparse
import signal

import ray
from ray import serve
from reading import N_WORKERS, answer, new_recognizer
from starlette.requests import Request


@serve.deployment(num_replicas=N_WORKERS, ray_actor_options={"num_cpus": 1}, max_ongoing_requests=1)
class Recognition:
    """One recognizer a replica."""

    def __init__(self) -> None:
        self._recognizer = new_recognizer()

    async def __call__(self, request: Request) -> dict[str, object]:
        form = await request.form()
        return answer(self._recognizer, await form["file"].read())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    ray.init(include_dashboard=False, log_to_driver=False, num_cpus=N_WORKERS + 1)
    serve.start(http_options={"host": "127.0.0.1", "port": parser.parse_args().port})
    serve.run(Recognition.bind(), route_prefix="/")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
