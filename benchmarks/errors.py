"""What can keep a figure from being made.

BenchmarkError
    NotReady        something did not answer within its bound
    ProcessEnded    a process under measure ended before it was told to
    WrongEnding     a request ended otherwise than the job demands: its time means nothing
"""


class BenchmarkError(Exception):
    """No figure could be made; the message says why."""


class NotReady(BenchmarkError):
    """Something did not answer within its bound."""

    def __init__(self, what: str, seconds: float) -> None:
        """Name `what` was waited for, and for how many seconds."""
        super().__init__(f"{what} was not ready after {seconds:g} s")
        self.what = what
        self.seconds = seconds


class ProcessEnded(BenchmarkError):
    """A process under measure ended before it was told to."""

    def __init__(self, name: str, code: int, log: str) -> None:
        """Name the process, its exit code and the last lines it wrote."""
        super().__init__(f"the {name} ended by itself with code {code}; it last said:\n{log}")
        self.name = name
        self.code = code


class WrongEnding(BenchmarkError):
    """A request ended otherwise than the job demands."""

    def __init__(self, request_id: str, result: object) -> None:
        """Name the request and the result that it gave."""
        super().__init__(f"request {request_id} ended with {result!r}")
        self.request_id = request_id
        self.result = result
