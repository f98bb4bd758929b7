"""The connection to a receiver: one request, one answer. Errors of httpx end here, and our secrets too."""

from __future__ import annotations

from logweir.sinks.otlp.config import OtlpConfig
from logweir.sinks.otlp.verdicts import Answer
from logweir.sinks.shared.credentials import bearer_header, login_of
from logweir.sinks.shared.http_client import HttpPool, ServerClient, beginning_of, make_http_client
from logweir.sinks.shared.tls import tls_context

__all__ = ["OtlpClient"]

#: As much of an answer is read; a partial success is a number and a text, which may speak of each record.
_MOST_READ = 2**20
# Compressed, a small answer could unpack to more than anybody wants to read: `identity`.
_HEADERS = {
    "User-Agent": "logweir",
    "Content-Type": "application/x-protobuf",
    "Accept-Encoding": "identity",
}


class OtlpClient(ServerClient[OtlpConfig]):
    """A pool of connections to one receiver.

    Args:
        config: The sink's options.
        http: The pool.
    """

    def __init__(self, config: OtlpConfig, http: HttpPool) -> None:
        super().__init__(config, http)
        self._url = config.url
        self._headers = {"Content-Encoding": "gzip"} if config.gzip else {}

    @staticmethod
    def pool(config: OtlpConfig, workers: int) -> HttpPool:
        """See :meth:`ServerClient.pool`."""
        own = {name: value.get_secret_value() for name, value in config.headers.items()}
        return make_http_client(
            login=login_of(config.username, config.password),
            headers=_HEADERS | own | bearer_header(config.bearer_token),
            trust=tls_context(config.tls),
            timeout=config.retry.timeout,
            connections=workers + 1,  # `check` takes none of the workers'
            proxy=config.proxy,
        )

    async def send(self, body: bytes) -> Answer:
        """Send the body of a request, compressed if the sink's options say so, and read the answer.

        Raises:
            SinkUnavailable: There was none.
        """
        async with self.asking("POST", self._url, content=body, headers=self._headers) as response:
            body = await beginning_of(response, _MOST_READ + 1)
            return Answer(
                response.status_code,
                response.reason_phrase,
                response.headers.get("Retry-After"),
                response.headers.get("Content-Type", ""),
                body[:_MOST_READ],
                is_cut=len(body) > _MOST_READ,
                masked=self.masked,
            )
