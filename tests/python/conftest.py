"""In which order the tests run."""


def pytest_collection_modifyitems(items):
    """Let tests that share a build come first: single ones are short and fill the end evenly."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)
