"""In which order the tests run, and the builds that several of them share."""

import pytest


def pytest_collection_modifyitems(items):
    """Let tests that share a build come first: single ones are short and fill the end evenly."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Return a function that builds a data set once and then hands out the same result.

    Tests that ask for one set belong to one group, `generated_` and its name, or every worker
    would build it.
    """
    from tests.python.generated import SETS, Built, build

    sets = {}

    def get(name):
        if name not in sets:
            arguments, with_tests = SETS[name]
            folder = tmp_path_factory.mktemp(name)
            sets[name] = Built(folder / "events", build(folder, arguments, with_tests=with_tests))
        return sets[name]

    yield get
    for item in sets.values():
        item.connection.close()
