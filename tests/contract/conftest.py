"""Fixtures of the search engines' tests, each of which runs on both products."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from servers import Server
from support.elastic import Elastic
from support.search_engines import PRODUCTS, SearchEngineProduct


@pytest.fixture(params=PRODUCTS)
def product(request: pytest.FixtureRequest) -> SearchEngineProduct:
    return PRODUCTS[request.param]


@pytest.fixture
def server(request: pytest.FixtureRequest, product: SearchEngineProduct) -> Server:
    """The session's server of the product."""
    found: Server = request.getfixturevalue(product.name)
    return found


@pytest.fixture
def store(server: Server) -> Iterator[Elastic]:
    """An index, or several, of a name of their own."""
    store = Elastic(server.url, f"test-{uuid4().hex[:12]}", PRODUCTS[server.name])
    yield store
    store.remove()
