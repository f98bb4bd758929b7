"""The oldest versions that pyproject.toml allows, which `make compat` installs."""

from packaging.requirements import Requirement

from distribution.compat import EXTRAS, PROJECT, lower_bounds


def test_every_dependency_says_the_oldest_version_that_works() -> None:
    texts = [
        *PROJECT["dependencies"],
        *(one for extra in EXTRAS for one in PROJECT["optional-dependencies"][extra]),
    ]
    constraints = {line.partition("==")[0] for line in lower_bounds().splitlines()}
    assert constraints == {Requirement(text).name for text in texts}
