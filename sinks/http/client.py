"""The connection to the webhook: one request, one answer. Errors of httpx end here, and our secrets too."""

from __future__ import annotations

from logweir.sinks.http.config import HttpConfig
from logweir.sinks.http.encode import Request
from logweir.sinks.http.verdicts import Answer
from logweir.sinks.shared.credentials import bearer_header, login_of
from logweir.sinks.shared.http_client import HttpPool, ServerClient, beginning_of, make_http_client
from logweir.sinks.shared.tls import tls_context

__all__ = ["HttpClient"]

#: As much of an answer is read; verdicts on ten thousand events, each with a sentence, fit in.
_MOST_READ = 2**22
#: The share of ``retry.timeout`` that a request for one event may take: two must fit into it.
_ONE_REQUEST = 0.4
# Compressed, a small answer could unpack to more than anybody wants to read: `identity`.
_HEADERS = {"User-Agent": "logweir", "Accept": "application/json", "Accept-Encoding": "identity"}


class HttpClient(ServerClient[HttpConfig]):
    """A pool of connections to one address.

    Args:
        config: The sink's options.
        http: The pool.
    """

    def __init__(self, config: HttpConfig, http: HttpPool) -> None:
        super().__init__(config, http)
        self._method = config.method
        self._url = config.url.get_secret_value()

    @staticmethod
    def pool(config: HttpConfig, workers: int) -> HttpPool:
        """See :meth:`ServerClient.pool`."""
        single = config.format == "single"
        at_once = workers * (config.concurrency if single else 1)
        own = {name: value.get_secret_value() for name, value in config.headers.items()}
        return make_http_client(
            login=login_of(config.username, config.password),
            headers=_HEADERS | own | bearer_header(config.bearer_token),
            trust=tls_context(config.tls),
            timeout=config.retry.timeout * (_ONE_REQUEST if single else 1.0),
            connections=at_once + 1,  # `check` takes none of the workers'
            proxy=config.proxy,
        )

    async def send(self, request: Request) -> Answer:
        """Send a request and read the answer.

        Raises:
            SinkUnavailable: There was none.
        """
        content, headers = request.body, request.headers
        async with self.asking(self._method, self._url, content=content, headers=headers) as response:
            body = await beginning_of(response, _MOST_READ + 1)
            return Answer(
                response.status_code,
                response.reason_phrase,
                response.headers.get("Retry-After"),
                body[:_MOST_READ],
                is_cut=len(body) > _MOST_READ,
                masked=self.masked,
            )

    async def head(self) -> tuple[int, str]:
        """Ask for the address without sending anything; return the status, and who answered.

        Raises:
            SinkUnavailable: Nobody did.
        """
        async with self.asking("HEAD", self._url) as response:
            return response.status_code, response.headers.get("Server", "")
