"""How much chaos, and its figures at the end of the run."""

import pytest

LINES = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos")
    group.addoption("--chaos-faults", type=int, help="faults in the chaos run")
    group.addoption("--chaos-jobs", type=int, help="jobs in the chaos run")
    group.addoption("--chaos-seed", type=int, help="seed of the fault schedule")


@pytest.fixture
def report(request: pytest.FixtureRequest):
    """Takes lines to print when all tests are over."""
    return request.config.stash.setdefault(LINES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = terminalreporter.config.stash.get(LINES, [])
    if lines:
        terminalreporter.section("chaos")
        for line in lines:
            terminalreporter.line(line)
