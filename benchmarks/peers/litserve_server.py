"""LitServe before a saved pipeline: the same model behind another server.

    python litserve_server.py PORT MODEL BATCH WORKERS

BATCH texts at most are answered together, by WORKERS processes that each have a copy of the model.
"""

import sys
from typing import Any

import litserve

from nlpipe.pipeline import Pipeline


class Api(litserve.LitAPI):
    """``{"text": …}`` to ``{"answer": …}``, as nlpipe serve answers it."""

    def setup(self, device: str) -> None:
        """Load the model, in each worker."""
        self.pipeline = Pipeline.load(sys.argv[2])

    def decode_request(self, request: dict[str, Any], **_: Any) -> str:
        """The text of a request."""
        return str(request["text"])

    def batch(self, inputs: list[str]) -> list[str]:
        """Requests as they are."""
        return inputs

    def unbatch(self, output: list[Any]) -> list[Any]:
        """Answers as they are."""
        return output

    def predict(self, x: Any, **_: Any) -> Any:
        """The answers to a batch, or to the one text where there are no batches."""
        texts = [x] if isinstance(x, str) else list(x)
        predictions = self.pipeline.predict(texts)
        answers = [self.pipeline.task.record(None, predictions, i) for i in range(len(texts))]
        return answers[0] if isinstance(x, str) else answers

    def encode_response(self, output: Any, **_: Any) -> dict[str, Any]:
        """The body of a response."""
        return {"answer": output}


def main() -> None:
    """Serve until stopped."""
    port, batch, workers = int(sys.argv[1]), int(sys.argv[3]), int(sys.argv[4])
    api = Api(max_batch_size=batch, batch_timeout=0.005)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=workers, track_requests=False)
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="error", num_api_servers=1)


if __name__ == "__main__":
    main()
