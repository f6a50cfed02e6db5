"""Plan: read and cut the documents of a batch and say what it would take, without storing any.

The producer gathers the documents and sends them here as JSON lines, after a line with the spec and
one with the paces of all queues: this package can read PDF, that one never does.
"""

import asyncio
import base64
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from models.catalogue import RETIRES, retires
from models.config import Config
from models.configuration import proposed
from models.deadline import to_the_minute
from models.errors import ReadError
from models.resolve import refuse_places
from models.scores import Acceptance, acceptance
from models.spec import Ask, Spec, make_spec
from models.states import JobState
from models.terminal import to_json, visible
from models.words import Finder, Policy, Queue, Stage, TaskType, Zone
from worker.bulk.deadline import has_time, last_moment
from worker.calls.prices import MILLION, PriceBook
from worker.calls.rates import stored_rates
from worker.classify.cascade import Verdict, found_at_once
from worker.classify.learned import Learned
from worker.classify.models import newest
from worker.db import one_connection
from worker.estimate import Pace, Takes, Unknown, Work, estimate, fits, sentence
from worker.ingest.chunk import chunk
from worker.ingest.jobs import LOOKED_AT, AskRow, asked_models, ingest
from worker.ingest.language import language
from worker.llm.grammar import grammar
from worker.prompts import fixed_tokens, manner
from worker.rates import RateBook
from worker.read.scans import DocumentReader, make_reader
from worker.route import Facts, places, route
from worker.run.models import newest_scores

DEAREST = TaskType.REASONING
"""What an ask without a task type may at worst turn out to be."""

MOST_NAMED = 20
"""Documents that cannot be read, by name."""

SHOWN_USD = Decimal("0.000001")


@dataclass(slots=True)
class AskPlan:
    """What one ask would take. `task` is auto where a language model would have to decide."""

    ask: str
    task: str
    found_by: str
    """Who says so: user, rule, learned or model."""
    confidence: float | None
    reason: str | None
    """Why it begins elsewhere than its task does."""
    tier: str
    engine: str
    model: str
    jobs: int = 0
    input_tokens: int = 0
    output_tokens_max: int = 0
    cost_usd_max: Decimal | None = Decimal(0)
    by_batch: bool = False
    """Whether its jobs wait for a batch of the provider's, at its price."""
    cost_usd_batch: Decimal | None = Decimal(0)
    """The same where a batch of the provider's answers all that waits for one."""
    only_checked: tuple[str, ...] = ()
    """What of its schema no engine holds by itself: answers are checked against it."""
    retires: bool = False
    """Whether the provider of its model has announced that it takes it away."""


@dataclass(slots=True)
class Plan:
    """What a batch would take. Tokens are estimates, costs upper bounds of frontier calls."""

    documents: int = 0
    pages: int = 0
    chunks: int = 0
    blank_chunks: int = 0
    jobs: int = 0
    classify_calls_max: int = 0
    cost_usd_max: Decimal | None = Decimal(0)
    cost_usd_batch: Decimal | None = Decimal(0)
    """The same where batches of providers answer all that waits for one."""
    waits_until: datetime | None = None
    """When what a provider's batch has not answered is asked one by one; None: nothing waits for
    one, or for as long as it takes."""
    estimated_seconds: float | None = None
    """Until it would be done; None: nobody can know."""
    deadline: str | None = None
    fits: bool | None = None
    """Whether it keeps its deadline; None: it has none, or nobody can know."""
    verdict: str | None = None
    """The same for people; None: it has no deadline."""
    accept: Acceptance | None = None
    """What of its values would be accepted, and what to expect for review; None: nothing is to be
    accepted."""
    asks: list[AskPlan] = field(default_factory=list)
    unreadable: list[dict[str, str]] = field(default_factory=list)


def plan(lines: Iterable[str], *, as_json: bool) -> int:
    """Print the plan of a batch; 0 unless nothing can be planned."""
    stream = iter(lines)
    spec = make_spec(json.loads(next(stream)), "spec")
    paces = {row["queue"]: Pace(**row) for row in json.loads(next(stream))}
    config = proposed()
    refuse_places((ask.place for ask in spec.asks), config)
    planner = Planner(spec, config, _learned(), _rates(config))
    made = asyncio.run(planner.read(map(json.loads, stream)))
    if spec.accept is not None:
        made.accept = _acceptance(spec.accept.error)
    add_time(made, estimate(list(work(made, config)), paces), spec.deadline)
    sys.stdout.write(_as_json(made) if as_json else _as_text(made))
    return 0 if made.documents else 1


def _learned() -> Learned:
    with one_connection() as connection:
        return newest(connection)


def _rates(config: Config) -> RateBook:
    """What is known of the models that a configuration may send texts to."""
    with one_connection() as connection:
        return stored_rates(connection, sorted({place.model for place in places(config)}))


def _acceptance(error: float) -> Acceptance:
    with one_connection() as connection:
        return acceptance(newest_scores(connection), error)


def work(made: Plan, config: Config) -> Iterator[Work]:
    """What a planned batch would bring to which queues; not what waits for a provider's batch."""
    for asked in made.asks:
        if asked.jobs and not asked.by_batch:
            queue = Queue(Stage.RUN, asked.engine, asked.model)
            yield Work(queue.name, asked.jobs, asked.input_tokens)
    if made.classify_calls_max:
        chosen = config.classifier
        queue = Queue(Stage.CLASSIFY, chosen.engine, chosen.model)
        yield Work(queue.name, made.classify_calls_max, None)


def add_time(made: Plan, found: Takes | Unknown, deadline: datetime | None) -> None:
    """Say in a plan how long it takes and whether that fits. How long a provider's batch takes
    nobody knows; the deadline is kept by taking back what it has not answered."""
    waits = any(asked.by_batch for asked in made.asks)
    if isinstance(found, Takes) and not waits:
        made.estimated_seconds = round(found.seconds, 1)
    if deadline is None:
        return
    now = datetime.now().astimezone()
    made.deadline = deadline.isoformat()
    made.fits, made.verdict = fits(found, deadline, now), sentence(found, deadline, now)
    if made.waits_until is not None and made.fits:
        until = to_the_minute(made.waits_until, now)
        made.verdict = f"fits: what the provider has not answered by {until} is asked one by one"


class Planner:
    """Counts what the documents of a batch would take."""

    def __init__(
        self, spec: Spec, config: Config, learned: Learned, rates: RateBook | None = None
    ) -> None:
        self._config = config
        self._learned = learned
        self._rates = rates or RateBook()
        self._prices = PriceBook(config)
        self._local_only = spec.policy is Policy.LOCAL_ONLY
        self._allows_batch, self._deadline = spec.allow_provider_batch, spec.deadline
        self._asks = [
            AskRow(
                number,
                ask.text,
                ask.answer_schema,
                ask.task,
                ask.scope,
                ask.documents,
                ask.place,
                ask.examples,
                ask.prompt,
            )
            for number, ask in enumerate(spec.asks)
        ]
        self._plan = Plan(asks=[self._ask_plan(ask) for ask in spec.asks])

    def _ask_plan(self, ask: Ask) -> AskPlan:
        found = self._found(ask)
        task = found.task if found else DEAREST
        said = (found.found_by, found.confidence) if found else (Finder.MODEL, None)
        facts = Facts(
            task,
            *said,
            local_only=self._local_only,
            allow_provider_batch=self._allows_batch,
            place=ask.place,
        )
        way = route(facts, self._config)
        place = way.first
        left_out = grammar(ask.answer_schema).left_out if ask.answer_schema is not None else ()
        return AskPlan(
            ask.label,
            found.task if found else "auto",
            *said,
            way.reason,
            place.zone,
            place.engine,
            place.model,
            by_batch=way.bulk,
            only_checked=left_out,
            retires=place.zone is Zone.FRONTIER and retires(place.model),
        )

    def _found(self, ask: Ask) -> Verdict | None:
        return found_at_once(
            ask.task, ask.text, ask.answer_schema, self._learned, self._config.classifier.sure
        )

    async def read(self, documents: Iterator[dict[str, str]]) -> Plan:
        """Read, cut and count them."""
        reader = make_reader(self._config, children=2)
        try:
            for document in documents:
                await self._read_one(reader, document)
        finally:
            reader.close()
        return self._sum()

    async def _read_one(self, reader: DocumentReader, document: dict[str, str]) -> None:
        data = base64.b64decode(document["data"])
        try:
            text = await reader.read(data, document["media_type"], document["path"])
        except ReadError as error:
            entry = {"path": document["path"], "category": error.category, "message": str(error)}
            self._plan.unreadable.append(entry)
            return
        models = asked_models(
            self._asks,
            language(text.whole[:LOOKED_AT]),
            local_only=self._local_only,
            config=self._config,
            learned=self._learned,
        )
        pieces = chunk(text, self._config.chunks.tokens, self._rates.cut(models))
        made = ingest(
            document["path"],
            text,
            pieces,
            self._asks,
            local_only=self._local_only,
            config=self._config,
            learned=self._learned,
        )
        self._plan.documents += 1
        self._plan.pages += made.pages
        self._plan.chunks += len(made.chunks)
        self._plan.blank_chunks += sum(row["blank"] is not None for row in made.chunks)
        for job in made.jobs:
            if job["state"] != JobState.SKIPPED:
                self._count(job)

    def _count(self, job: dict[str, Any]) -> None:
        asked = self._plan.asks[job["ask_id"]]
        task = TaskType(asked.task) if asked.task != "auto" else DEAREST
        asked.jobs += 1
        ask = self._asks[job["ask_id"]]
        asked.input_tokens += job["tokens"] + self._prompt_tokens(asked, task, ask, job["language"])
        asked.output_tokens_max += self._config.task(task).max_tokens

    def _prompt_tokens(
        self, asked: AskPlan, task: TaskType, ask: AskRow, language: str | None
    ) -> int:
        number = ask.prompt or self._config.prompts.get(task)
        carries = self._config.engines[asked.engine].carries_examples(asked.model)
        how = manner(task, asked.model, language, number=number, examples=carries)
        return fixed_tokens(how, ask.text, ask.json_schema, ask.examples)

    def _sum(self) -> Plan:
        self._hand_in()
        for asked in self._plan.asks:
            engine = self._config.engines[asked.engine]
            discount = engine.batch_discount if asked.by_batch else Decimal(0)
            asked.cost_usd_max = live = self._cost(asked)
            asked.cost_usd_batch = None if live is None else live * (1 - discount)
        self._plan.cost_usd_max = _sum_of(asked.cost_usd_max for asked in self._plan.asks)
        self._plan.cost_usd_batch = _sum_of(asked.cost_usd_batch for asked in self._plan.asks)
        self._plan.jobs = sum(asked.jobs for asked in self._plan.asks)
        self._plan.classify_calls_max = sum(
            a.jobs > 0 and a.task == "auto" for a in self._plan.asks
        )
        return self._plan

    def _hand_in(self) -> None:
        """Which asks wait for a provider's batch, and until when. All that an engine's provider has
        is taken back together, so it takes the time of all of it."""
        jobs: Counter[str] = Counter()
        for asked in self._plan.asks:
            jobs[asked.engine] += asked.jobs if asked.by_batch else 0
        now = datetime.now().astimezone()
        until = []
        for asked in self._plan.asks:
            handed, engine = jobs[asked.engine], self._config.engines[asked.engine]
            in_time = has_time(self._deadline, handed, engine, now)
            asked.by_batch = asked.by_batch and asked.jobs > 0 and in_time
            if asked.by_batch:
                until.append(last_moment(self._deadline, handed, engine))
        self._plan.waits_until = min(filter(None, until), default=None)

    def _cost(self, asked: AskPlan) -> Decimal | None:
        """None: the price is not known. Local work has no price per token."""
        if asked.tier == Zone.LOCAL or asked.jobs == 0:
            return Decimal(0)
        per_call = self._config.engines[asked.engine].most_usd_per_call
        if per_call is not None:
            return (asked.jobs * per_call).quantize(SHOWN_USD)
        price = self._prices.price(asked.model)
        if price is None:
            return None
        dollars = (
            asked.input_tokens * price.input_per_mtok
            + asked.output_tokens_max * price.output_per_mtok
        )
        return (dollars / MILLION).quantize(SHOWN_USD)


def _sum_of(costs: Iterable[Decimal | None]) -> Decimal | None:
    """None: one of them is not known."""
    known = list(costs)
    return None if None in known else sum(filter(None, known), Decimal(0)).quantize(SHOWN_USD)


def _said_by(asked: AskPlan) -> str:
    """Who says which task it is, and how sure that is."""
    sure = "" if asked.confidence is None else f" {asked.confidence:.2f}"
    return f"{asked.found_by}{sure}"


def _as_json(made: Plan) -> str:
    return to_json(asdict(made)) + "\n"


def _as_text(made: Plan) -> str:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="plan: nothing was stored or sent")
    for column in (
        "ask",
        "task",
        "by",
        "tier",
        "model",
        "jobs",
        "tokens in",
        "tokens out <=",
        "USD <=",
    ):
        table.add_column(column)
    for asked in made.asks:
        cost = "unknown" if asked.cost_usd_max is None else str(asked.cost_usd_max)
        numbers = (asked.jobs, asked.input_tokens, asked.output_tokens_max)
        ask, model = (escape(visible(words)) for words in (asked.ask[:40], asked.model))
        table.add_row(ask, asked.task, _said_by(asked), asked.tier, model, *map(str, numbers), cost)
    console = Console()
    with console.capture() as capture:
        console.print(table)
        console.print(
            f"{made.documents} documents, {made.pages} pages, {made.chunks} chunks "
            f"({made.blank_chunks} blank), {made.jobs} jobs, "
            f"at most {made.classify_calls_max} classify calls, "
            f"USD <= {'unknown' if made.cost_usd_max is None else made.cost_usd_max}"
        )
        if waiting := sum(asked.jobs for asked in made.asks if asked.by_batch):
            console.print(
                f"{waiting} jobs wait for a batch of the provider's; where it answers all of them: "
                f"USD <= {'unknown' if made.cost_usd_batch is None else made.cost_usd_batch}",
                highlight=False,
            )
        accept = f"accept: {made.accept.sentence()}" if made.accept is not None else None
        for line in filter(None, (accept, made.verdict)):
            console.print(escape(line), highlight=False)
        for asked in made.asks:
            if asked.only_checked:
                listed = ", ".join(asked.only_checked)
                console.print(
                    f"{escape(visible(asked.ask[:40]))}: no engine holds "
                    f"{escape(visible(listed))} by itself; every answer is checked against it"
                )
        for model in sorted({asked.model for asked in made.asks if asked.retires}):
            console.print(f"{escape(visible(model))}: {RETIRES}", highlight=False)
        for entry in made.unreadable[:MOST_NAMED]:
            said = visible(f"cannot be read ({entry['category']}): {entry['message']}")
            console.print(escape(said), highlight=False)
        if len(made.unreadable) > MOST_NAMED:
            console.print(f"... and {len(made.unreadable) - MOST_NAMED} more; --json has all")
    return capture.get()
