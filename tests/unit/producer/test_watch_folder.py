"""What a watch says, look after look."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.errors import DocmillError
from producer.cli.watch_folder import _look, _Told
from producer.places import Refused
from producer.watch.fates import Fate
from producer.watch.look import Look

BAD, WORSE = (Refused(name, "empty", f"{name}: empty") for name in ("a", "b"))


class Scripted:
    """A watch whose looks are known."""

    def __init__(self, *looks: Look | DocmillError) -> None:
        self._looks = iter(looks)

    def look(self, _: object) -> Look:
        found = next(self._looks)
        if isinstance(found, DocmillError):
            raise found
        return found


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    made = tmp_path / "spec.yaml"
    made.write_text("asks: [{ask: Sum up.}]")
    return made


@pytest.fixture
def said(
    spec: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """What each look of a watch says."""
    monkeypatch.setattr("producer.cli.watch_folder._now", lambda: "now")

    def lines(*looks: Look | DocmillError) -> Iterator[str]:
        watched, told = Scripted(*looks), _Told()
        for _ in looks:
            _look(watched, spec, told, keep_on=True)  # type: ignore[arg-type]
            yield "".join(capsys.readouterr()).strip()

    return lambda *looks: list(lines(*looks))


def test_what_is_refused_or_wrong_is_said_once_for_as_long_as_it_lasts(said):
    away = DocmillError("Postgres is away")
    bad, both, none = Look(refused=[BAD]), Look(refused=[BAD, WORSE]), Look()
    first, second, error = (
        "refused (empty) a: empty",
        "refused (empty) b: empty",
        "now Postgres is away; looks again",
    )
    assert said(bad, bad, both) == [first, "", second]
    assert said(bad, away, away, bad) == [first, error, "", ""]
    assert said(bad, none, bad) == [first, "", first]
    assert said(away, none, away) == [error, "", error]


def test_a_look_that_finds_copies_alone_says_so(said):
    twins = "now no batch; 0 files new, 0 changed; 1 with bytes that were there before"
    assert said(Look(fates={Fate.TWIN: 1}), Look(fates={Fate.SAME: 1})) == [twins, ""]
