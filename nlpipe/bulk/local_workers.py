"""Processes of this machine that answer chunks; each loads the model once."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from nlpipe.bulk.answer_process import Setting
from nlpipe.bulk.ordered import Died
from nlpipe.errors import NlpipeError
from nlpipe.runs.costs import ending, process_environment
from nlpipe.threads import thread_count


class Processes:
    """``jobs`` processes, started as they are needed; one that dies is replaced.

    Each has a thread here that hands it an order and waits for the reply. They share the processor's threads evenly.
    """

    def __init__(self, setting: Setting, jobs: int) -> None:
        self.setting = json.dumps(setting)
        self.threads = max(1, thread_count() // jobs)
        self.pool = ThreadPoolExecutor(jobs)
        self.width = jobs
        self.mine = threading.local()
        self.lock = threading.Lock()
        self.running: set[subprocess.Popen[str]] = set()
        self.closed = False

    def submit(self, order: str) -> Future[str]:
        """Have an order answered; the result raises ``Died`` where the process died of it."""
        return self.pool.submit(self._answer, order)

    def _answer(self, order: str) -> str:
        process = getattr(self.mine, "process", None)
        if process is None:
            process = self.mine.process = self._started()
        try:
            return self._asked(process, order)
        except Died:
            self.mine.process = None
            raise

    def _started(self) -> subprocess.Popen[str]:
        """A process that has loaded the model.

        Raises:
            NlpipeError: it cannot.
        """
        with self.lock:
            if self.closed:
                raise Died("was stopped")
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "nlpipe.bulk.answer_process"], text=True, encoding="utf-8",
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=process_environment(self.threads),
            )  # fmt: skip
            self.running.add(process)
        try:
            reply = self._asked(process, self.setting)
        except Died as death:
            raise NlpipeError(
                f"a process that answers {death} while it loaded the model; fewer --jobs need less memory"
            ) from None
        if "error" in (told := json.loads(reply)):
            raise NlpipeError(f"a process that answers cannot load the model: {told['error']}")
        return process

    def _asked(self, process: subprocess.Popen[str], line: str) -> str:
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
            reply = process.stdout.readline()
        except (OSError, ValueError):
            reply = ""
        if not reply.endswith("\n"):
            raise Died(ending(self._ended(process)))
        return reply

    def _ended(self, process: subprocess.Popen[str]) -> int:
        """The status of a process that has closed its output."""
        with self.lock:
            self.running.discard(process)
        try:
            status = process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        for stream in (process.stdin, process.stdout):
            try:
                if stream is not None:
                    stream.close()
            except OSError:  # what was not sent
                pass
        return status

    def close(self) -> None:
        """End all processes, also those that are busy."""
        with self.lock:
            self.closed = True
            left = list(self.running)
        for process in left:
            process.kill()
        self.pool.shutdown(wait=True, cancel_futures=True)
        for process in left:
            self._ended(process)
