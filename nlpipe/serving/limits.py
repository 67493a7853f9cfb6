"""What a server accepts, and what it refuses with which status."""

from __future__ import annotations

from dataclasses import dataclass

from nlpipe.errors import NlpipeError


class Refused(NlpipeError):
    """A request that is not answered; the message says what is wrong with it and what to send instead.

    Args:
        status: of HTTP.
        message: for the one who asked.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """What a server accepts.

    Args:
        body: bytes of a request's body.
        texts: texts of a request.
        length: characters of a text.
        queue: texts that wait for a model.
        batch: texts of several requests that are answered together; a request with more is answered alone.
        seconds: until a request has arrived, and until it is answered.

    Raises:
        NlpipeError: the queue is shorter than one request may be.
    """

    body: int = 1_048_576
    texts: int = 1_000
    length: int = 100_000
    queue: int = 10_000
    batch: int = 64
    seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.queue < self.texts:
            raise NlpipeError(
                f"a queue of {self.queue:,} texts is less than a request of {self.texts:,}; make it longer"
            )

    def check(self, texts: list[str]) -> None:
        """Check the texts of one request.

        Raises:
            Refused: they are too many, or one is too long; status 413.
        """
        if len(texts) > self.texts:
            raise Refused(
                413, f"{len(texts):,} texts; at most {self.texts:,} are answered at a time: send them in parts"
            )
        for number, text in enumerate(texts):
            if len(text) > self.length:
                message = f"text {number} has {len(text):,} characters; at most {self.length:,} are accepted: cut it"
                raise Refused(413, message)
