"""Tests that share a build run in one worker, which would build it once more otherwise."""

import pytest


@pytest.mark.xdist_group("groups")
def test_groups_reach_the_scheduler(request):
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("runs with --dist loadgroup only, as scripts/ci/test does")
    assert request.node.nodeid.endswith("@groups"), "this pytest hides groups from pytest-xdist"
