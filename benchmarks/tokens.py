"""(r) Tokens: estimates against what four vocabularies really take, script by script, before
anything is learnt and after; and whole documents of Indian scripts at an engine that counts as
Llama 3 does.

python -m benchmarks.tokens

`token_counts.tsv` holds what the tokenizers of Gemma 3, o200k (GPT-4o), Tekken (Mistral Nemo) and
Llama 3 made of the public texts, piece by piece; models are told every second piece, and estimates
are measured on the others.
"""

import asyncio
import csv
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.rig import Measured
from models.words import Scope, TaskType
from tests.factories import a_deployment, a_job, an_access
from tests.stubs.fake import FakeEngine
from worker.calls.access import EngineAccess
from worker.ingest.chunk import chunk
from worker.llm.engine import Completion, EngineError, Request, Trouble, Usage
from worker.rates import RateBook, first_rates, units_of
from worker.read.kinds import Text
from worker.route import Facts
from worker.run.ground import Source
from worker.run.job import Job
from worker.run.outcome import Split, Turn
from worker.run.run import run as run_job
from worker.tokens import Script, estimate, measure, priced

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
COUNTS = Path(__file__).parent / "token_counts.tsv"
VOCABULARIES = {
    "gemma3": "gemma3:4b",
    "o200k": "gpt-4o",
    "tekken": "mistral-nemo",
    "llama3": "llama3.1:8b",
}
"""Each with a model that has it."""
TURNS = 3
"""How often a model is told of each piece: some sixteen prompts of every language."""
JOBS, WINDOW, CHUNK = 1_000, 8192, 600
MODEL = "phi4-mini"


@dataclass(frozen=True)
class Counted:
    """A piece of a text and what vocabularies make of it."""

    kind: str
    text: str
    tokens: Mapping[str, int]


def run(jobs: int = JOBS) -> Iterator[Measured]:
    """The farthest estimate of any language and vocabulary, and prompts that were too long."""
    if not DATA.is_dir():
        return
    far = max(abs(1 - after) for row in table("m") for _, after in row[1])
    yield Measured("r: estimate of tokens after learning, farthest off", far, 0.1, True, "share")
    refused = asyncio.run(overflows(jobs))
    yield Measured("r: prompts of whole documents that were too long", refused, 0, True, "")


def pieces() -> list[Counted]:
    """The public texts, as they were counted."""
    texts = {path.name: path.read_text() for path in (DATA / "indic_text").iterdir()}
    for line in (DATA / "extraction_open.jsonl").read_text().splitlines():
        example = json.loads(line)
        texts[example["id"]] = example["text"]
    with COUNTS.open() as file:
        return [
            Counted(
                _kind(row["text"]),
                texts[row["text"]][int(row["start"]) : int(row["end"])],
                {name: int(row[name]) for name in VOCABULARIES},
            )
            for row in csv.DictReader(file, delimiter="\t")
        ]


def _kind(name: str) -> str:
    return name[5:8] if name.startswith("udhr_") else name.partition("-")[0]


Row = tuple[str, list[tuple[float, float]]]


def table(model: str | None = None) -> list[Row]:
    """For each language and vocabulary: the estimate over the real tokens, before and after
    learning. `model`: of one whose name says nothing; None: of those in VOCABULARIES."""
    counted = pieces()
    told, asked = counted[::2], counted[1::2]
    rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for vocabulary, name in VOCABULARIES.items():
        means = _learnt(model or name, vocabulary, told)
        for kind in dict.fromkeys(one.kind for one in asked):
            mine = [one for one in asked if one.kind == kind]
            real = sum(one.tokens[vocabulary] for one in mine)
            before = sum(estimate(one.text) for one in mine) / real
            rows[kind].append((before, sum(estimate(o.text, means) for o in mine) / real))
    return list(rows.items())


def _learnt(model: str, vocabulary: str, told: Sequence[Counted]) -> dict[Script, float]:
    book, draw = RateBook(), random.Random(7)
    for _ in range(TURNS):
        for one in draw.sample(told, len(told)):
            book.of(model).learn(measure(one.text), one.tokens[vocabulary])
    return {script: rate.mean for script, rate in book.of(model).of.items()}


class Llama(FakeEngine):
    """Counts prompts as Llama 3 does, give or take a few in a hundred, and refuses those that are
    longer than the window."""

    def __init__(self) -> None:
        super().__init__(models=(MODEL,))
        self.refused = 0
        self._draw = random.Random(3)
        self._rates = {s: rate.mean for s, rate in first_rates(VOCABULARIES["llama3"]).items()}

    async def complete(self, request: Request) -> Completion:
        """Answer, or refuse."""
        units = units_of(message.content for message in request.messages)
        tokens = round(priced(units, self._rates) * self._draw.uniform(0.96, 1.04))
        if tokens + request.max_tokens > request.context_tokens:
            self.refused += 1
            raise EngineError(Trouble.CONTEXT_EXCEEDED, f"{tokens} tokens are too many")
        answer = await super().complete(request)
        return replace(answer, usage=Usage(tokens, answer.usage.output_tokens))


async def overflows(jobs: int) -> int:
    """Prompts that were too long in so many jobs about stretches of all Indian texts, of a model
    that nobody knows."""
    texts = [path.read_text() for path in sorted((DATA / "indic_text").iterdir())]
    engine, draw = Llama(), random.Random(5)
    access = an_access(engine, a_deployment(context_tokens=WINDOW))
    for number in range(jobs):
        text = texts[number % len(texts)]
        size = draw.randint(200, len(text))
        start = draw.randint(0, len(text) - size)
        await _whole(_document(text[start : start + size], access), access)
    return engine.refused


def _document(text: str, access: EngineAccess) -> Job:
    """As it is cut and asked about as a whole."""
    cut = chunk(Text.of([text]), CHUNK, access.rates.cut([MODEL]))
    facts = Facts(TaskType.SUMMARY, scope=Scope.DOCUMENT, local_only=True)
    sources = tuple(Source(one.char_start, one.text, one.ordinal) for one in cut)
    return a_job(task=TaskType.SUMMARY, facts=facts, pieces=sources)


async def _whole(job: Job, access: EngineAccess) -> None:
    """A job with its parts."""
    turn = await _turn(job, access)
    for part in turn.outcome.parts if isinstance(turn.outcome, Split) else ():
        own = tuple(p for p in job.pieces if part.first <= p.ordinal <= part.last)
        await _turn(replace(job, is_part=True, level=1, pieces=own), access)


async def _turn(job: Job, access: EngineAccess) -> Turn:
    return await run_job(job, access, nullcontext())


def main() -> None:
    """Print both tables, and how many prompts were too long."""
    for title, model in (("of a model that nobody knows", "m"), ("of one known by name", None)):
        print(f"\nEstimate over real tokens, before -> after learning, {title}\n")
        print("| text | " + " | ".join(VOCABULARIES) + " |\n" + "|---" * 5 + "|")
        for kind, figures in table(model):
            cells = (f"{before:.2f} -> {after:.2f}" for before, after in figures)
            print(f"| {kind} | " + " | ".join(cells) + " |")
    print(f"\nprompts that were too long, of {JOBS} documents: {asyncio.run(overflows(JOBS))}")


if __name__ == "__main__":
    main()
