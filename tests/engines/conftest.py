"""A server of one engine for a whole session of tests: `pytest tests/engines --engine postgres`."""

import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from scripts.ci.engines.base import EngineError, engines
from scripts.ci.engines.project_runs import ProjectRuns


def pytest_addoption(parser):
    parser.addoption(
        "--engine",
        choices=sorted(engines()),
        help="engine to start and test: " + ", ".join(sorted(engines())),
    )


def pytest_configure(config):
    def stop(*_):
        raise KeyboardInterrupt

    # Ended by another process, the session stops its server as it does on Ctrl-C.
    signal.signal(signal.SIGTERM, stop)


@pytest.fixture(scope="session")
def report(request):
    """Return a function that shows one line of progress, whatever pytest captures."""
    plugins = request.config.pluginmanager
    capture, terminal = plugins.getplugin("capturemanager"), plugins.getplugin("terminalreporter")

    def show(line):
        if terminal is not None:
            with capture.global_and_fixture_disabled():
                terminal.write_line(line)

    return show


@pytest.fixture(scope="session")
def engine(request, report):
    """Return the running engine; nothing of it is left afterwards."""
    name = request.config.getoption("engine")
    if name is None:
        pytest.exit("choose what to test, such as --engine postgres", returncode=4)
    # Not pytest's own folder: a server may run as a user who cannot enter that.
    directory = Path(tempfile.mkdtemp(prefix=f"agent_analytics_{name}_"))
    directory.chmod(0o755)
    running = engines()[name]()
    try:
        report(f"{name}: starting")
        try:
            running.start(directory / "server")
        except EngineError as error:
            pytest.exit(f"{name} did not start: {error}", returncode=3)
        report(f"{name}: running below {directory}")
        yield running
    finally:
        running.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def on_engine(engine, tmp_path_factory, report):
    """Return what runs dbt on the engine; the logs stay in pytest's folder."""
    return ProjectRuns(tmp_path_factory.mktemp(engine.name), engine, report=report)
