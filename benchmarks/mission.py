"""The mission's own experiment: public receipts as gold, a small model tuned on two thirds of them,
and the held third asked of the bare model, the tuned one, and the tuned one with an example.

python -m benchmarks.mission [--folder DIR] [--minutes N] [--most N] [--file FILE]

Each step is a command of Docmill's, printed as it is typed; with --folder what is done stays done.
The training needs the extra `tune`. Where the receipts are not at hand nothing is measured.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.adapter import PUBLIC
from models.adapter import digest_of
from models.embedded import attach_postgres
from models.engines import EMBEDDED_MODEL, tuned_name
from models.shares import share
from producer.evaluate.stats import difference

ASK = "Find the company, the date and the total."
FIELDS = ("company", "date", "total")
WON = ("date", "total")
"""What the tuned model has to be right about more often, each with p < CHANCE."""
CHANCE = 0.05
MINUTES = 15.0
LEAST = "20"
"""Rows to train on. Docmill wants 100 unless it is told: eighty receipts show what they do."""
BARE = f"local/{EMBEDDED_MODEL}"
CONFIG = '[engines.local]\nkind = "embedded"\nadapter = "{adapter}"\n'
SCORES = "SELECT place, key, fields FROM eval_scores WHERE eval_id = %s"

Rights = Mapping[str, Mapping[bytes, Mapping[str, bool]]]
"""Whether each field of each text was right, by model."""


@dataclass(frozen=True)
class Place:
    """A folder with a docmill.toml and servers of its own."""

    folder: Path

    def docmill(self, *words: str) -> None:
        """Run a command; what it prints is seen at once. Raises CalledProcessError."""
        print(f"\n$ docmill {' '.join(words)}", flush=True)
        subprocess.run(self._words(*words), cwd=self.folder, env=self._environment(), check=True)

    @contextmanager
    def up(self) -> Iterator[None]:
        """While its workers run."""
        with (self.folder / "up.log").open("w") as log:
            running = subprocess.Popen(
                self._words("up", "--port", "0"),
                cwd=self.folder,
                env=self._environment(),
                stdout=log,
                stderr=log,
            )
            try:
                yield
            finally:
                running.terminate()
                running.wait()

    def rights(self) -> Rights:
        """Of the newest eval."""
        url = attach_postgres(self.folder / ".docmill")
        found: dict[str, dict[bytes, dict[str, bool]]] = {}
        with psycopg.connect(url) as database:
            (newest,) = database.execute("SELECT max(id) FROM evals").fetchone() or (None,)
            for place, key, fields in database.execute(SCORES, (newest,)):
                found.setdefault(place, {})[bytes(key)] = fields
        return found

    def _words(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "producer", *words]

    def _environment(self) -> dict[str, str]:
        here = os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH"))))
        told = {"PYTHONPATH": here, "DOCMILL_HOME": str(self.folder / ".docmill")}
        return {**os.environ, **told, "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


def gold_lines(file: Path) -> Iterator[str]:
    """The receipts as `docmill gold import` reads them."""
    for line in file.read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["id"].startswith(("sroie", "receipt")):
            kept = {name: row["fields"].get(name) for name in FIELDS}
            told = {"text": row["text"], "fields": kept, "source": row["source"]}
            yield json.dumps({**told, "licence": row["licence"]}) + "\n"


def tune(place: Place, file: Path, minutes: float) -> str:
    """Gold, pairs, training; the tuned model's name."""
    folder = place.folder
    (folder / "receipts.jsonl").write_text("".join(gold_lines(file)), "utf-8")
    (folder / "docmill.toml").write_text(CONFIG.format(adapter=""))
    place.docmill("config", "apply")
    place.docmill("gold", "import", "receipts", "receipts.jsonl", "--ask", ASK)
    if not (folder / "pairs").exists():
        export = ("tune", "export", "--gold", "receipts", "--model", BARE, "--without-examples")
        place.docmill(*export, "--at-least", LEAST, "--out", "pairs")
    if not (folder / "tuned" / "training.json").exists():
        train = ("tune", "train", "pairs/pairs.jsonl", "--out", "tuned", "--adapter", "shipped")
        place.docmill(*train, "--minutes", f"{minutes:g}", "--threads", "2")
    adapter = folder / "tuned" / "adapter.gguf"
    (folder / "docmill.toml").write_text(CONFIG.format(adapter=adapter))
    place.docmill("config", "apply")
    return f"local/{tuned_name(digest_of(adapter))}"


def measure(place: Place, tuned: str, most: int) -> Rights:
    """The bare and the tuned model, then the tuned one with the nearest receipt as an example."""
    some = ("--most", str(most))
    with place.up():
        folders = ("--training", "tuned", "--pairs", "pairs")
        pair = ("--base", BARE, "--tuned", tuned)
        place.docmill("tune", "eval", "--gold", "receipts", *pair, *folders, *some)
        both = dict(place.rights())
        shown = ("--examples", "1")
        place.docmill("eval", "--gold", "receipts", "--model", tuned, *shown, *some)
        return both | dict(place.rights())


def report(rights: Rights, tuned: str) -> bool:
    """Print each field of each model beside the bare one; whether the tuned one won on WON."""
    won = []
    for name in FIELDS:
        for place, texts in rights.items():
            found = share(fields.get(name, False) for fields in texts.values())
            line = f"{name:8} {place:48} {found.hits:3} of {found.n}"
            line += f" ({found.low:.2f} to {found.high:.2f})"
            if place != BARE:
                common = texts.keys() & rights[BARE].keys()
                apart = difference(_pair(name, texts[key], rights[BARE][key]) for key in common)
                line += f"  gained {apart.gained}, lost {apart.lost}, p = {apart.p:.2g}"
                if place == tuned and name in WON:
                    won.append(apart.value > 0 and apart.p < CHANCE)
            print(line)
    return all(won)


def _pair(name: str, one: Mapping[str, bool], other: Mapping[str, bool]) -> tuple[bool, bool]:
    return one.get(name, False), other.get(name, False)  # no answer has no fields: it is wrong


def run(folder: Path, minutes: float, most: int, file: Path = PUBLIC) -> bool:
    """The whole experiment; whether the tuned model won."""
    place = Place(folder)
    tuned = tune(place, file, minutes)
    won = report(measure(place, tuned, most), tuned)
    print(f"the tuned model {'wins' if won else 'does not win'} on {' and '.join(WON)}")
    return won


def main(words: Sequence[str] | None = None) -> int:
    """Measure; 0: the tuned model won, or there was nothing to measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="a new one, or one to go on in")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of training")
    parser.add_argument("--most", type=int, default=1_000, help="held receipts")
    parser.add_argument("--file", type=Path, default=PUBLIC)
    chosen: Any = parser.parse_args(words)
    if not chosen.file.exists():
        print(f"{chosen.file} is not at hand: nothing was measured")
        return 0
    with tempfile.TemporaryDirectory(prefix="docmill-mission-") as new:
        folder = (chosen.folder or Path(new)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        try:
            return 0 if run(folder, chosen.minutes, chosen.most, chosen.file) else 1
        except subprocess.CalledProcessError as exc:  # the command has said why
            return exc.returncode


if __name__ == "__main__":
    sys.exit(main())
