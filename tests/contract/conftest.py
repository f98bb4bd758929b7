"""Fixtures of the search engines' tests, each of which runs on both products."""

from collections.abc import Iterator

import pytest

from servers import Server
from support.elastic import Elastic, new_store
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
    with new_store(server) as store:
        yield store
