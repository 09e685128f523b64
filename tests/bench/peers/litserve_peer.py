"""Recognition behind LitServe: two worker processes, the form's file as its documentation has it."""

import argparse

import litserve
from reading import N_WORKERS, PATH, answer, new_recognizer


class Recognition(litserve.LitAPI):
    """One recognizer a worker."""

    def setup(self, device):  # noqa: ARG002 - LitServe's signature
        self._recognizer = new_recognizer()

    def decode_request(self, request):
        return request["file"].file.read()

    def predict(self, picture):
        return answer(self._recognizer, picture)

    def encode_response(self, output):
        return output


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    api = Recognition(api_path=PATH)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=N_WORKERS, timeout=60)
    server.run(host="127.0.0.1", port=parser.parse_args().port, generate_client_file=False, log_level="warning")
