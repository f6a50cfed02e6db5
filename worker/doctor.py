"""Doctor: try every connection, model, limit and price once, and say what to do about each."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from typing import TypeVar

import psycopg
import redis

from models import database
from models.catalogue import RETIRES, retires
from models.config import Config
from models.configuration import contradictions, current, own_config, proposed
from models.engines import STAND_IN
from models.errors import ConfigError, DocmillError, NoKey
from models.queue import redis_client, redis_url
from models.reading import SeenBy
from models.settings import settings
from models.sql import load_sql
from models.terminal import visible
from models.words import Zone
from worker.calls.prices import Price, PriceBook
from worker.calls.traits import key_of, row_of
from worker.db import Row, fetch, one_connection
from worker.deployment import Deployment, deploy, deployments
from worker.llm.engine import Engine, EngineError, Health
from worker.llm.faults import place
from worker.llm.probe import Traits, offered, said_of, told
from worker.llm.probe import probe as ask_all
from worker.read.ocr import GET, Ocr, chosen, here
from worker.route import frontier_model, places

T = TypeVar("T")


class Grade(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `advice` is empty when there is nothing to do."""

    check: str
    grade: Grade
    detail: str
    advice: str = ""


def doctor(*, as_json: bool, probe: bool) -> int:
    """Print every finding; 1 when one is a problem. `probe`: ask every model what it does, too."""
    findings = list(_examine(probe=probe))
    if as_json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings]) + "\n")
    else:
        for finding in findings:
            sys.stdout.write(_line(finding))
    return int(any(finding.grade is Grade.PROBLEM for finding in findings))


def _line(finding: Finding) -> str:
    mark = {Grade.OK: "ok  ", Grade.WARNING: "note", Grade.PROBLEM: "FAIL"}[finding.grade]
    advice = f"\n       -> {finding.advice}" if finding.advice else ""
    return visible(f"{mark}  {finding.check}: {finding.detail}{advice}\n")


def _examine(*, probe: bool) -> Iterator[Finding]:
    yield _guarded("postgres", _postgres)
    yield _guarded("redis", _redis)
    try:
        config, own = proposed(), own_config()
        found = deployments(config, frozenset(Zone), own, settings())
    except DocmillError as exc:
        yield Finding("config", Grade.PROBLEM, str(exc), "mend docmill.toml or the environment")
        return
    yield _guarded("config", _configuration)
    for name, deployment in found.items():
        yield from _engine(name, deployment, config, probe=probe)
    yield from _prices(config)
    yield _guarded("budget", lambda: _budget(config))
    yield _private(config)
    yield _guarded("ocr", lambda: _ocr(config))
    yield from _workers()


def _configuration() -> Finding:
    known, path = current(), settings().docmill_config
    where = f"{path}" if path.exists() else "defaults (no docmill.toml)"
    if known is None:
        return Finding("config", Grade.OK, f"{where}; the first worker or submit makes it number 1")
    against = contradictions(known, frozenset(Zone))
    detail = f"configuration {known.number} in Postgres"
    if against:
        listed = "; ".join(against)
        advice = "`docmill config apply` makes what is said here the next number"
        return Finding(
            "config", Grade.WARNING, f"{detail}; {where} says otherwise: {listed}", advice
        )
    return Finding("config", Grade.OK, f"{detail}; here {where}")


def _guarded(check: str, run: Callable[[], Finding]) -> Finding:
    try:
        return run()
    except (DocmillError, redis.RedisError, OSError) as exc:
        advice = "" if isinstance(exc, DocmillError) else f"start {check} or fix its URL"
        return Finding(check, Grade.PROBLEM, str(exc).splitlines()[0], advice)


def _postgres() -> Finding:
    with database.ready_connection() as connection:
        [version] = connection.execute("SHOW server_version").fetchone() or ("unknown",)
    kind = "" if settings().database_url else " (embedded)"
    detail = f"{version} at {database.safe_url()}{kind}, schema {database.current_revision()}"
    return Finding("postgres", Grade.OK, detail)


def _redis() -> Finding:
    info = redis_client().info()
    kind = "" if settings().redis_url else " (embedded)"
    policy = info.get("maxmemory_policy", "noeviction")
    detail = f"{info.get('redis_version')} at {place(redis_url())}{kind}"
    if policy != "noeviction":
        advice = (
            "set maxmemory-policy noeviction: what it evicts of the rate limits is calls too many"
        )
        return Finding("redis", Grade.WARNING, f"{detail}, maxmemory-policy {policy}", advice)
    return Finding("redis", Grade.OK, detail)


def _engine(
    name: str, found: Deployment | ConfigError, config: Config, *, probe: bool = False
) -> Iterator[Finding]:
    check = f"{name} engine"
    if isinstance(found, ConfigError):
        elsewhere = isinstance(found, NoKey)
        yield Finding(check, Grade.WARNING if elsewhere else Grade.PROBLEM, str(found))
        return
    if found.stand_in:
        yield Finding(
            check,
            Grade.WARNING,
            "stand-in: the embedded model serves the frontier queue; no frontier model is asked",
            "set FRONTIER_API_KEY for a real one",
        )
        return
    yield from _reached(check, found, _models(name, config), probe=probe)
    limits = found.config
    if found.limited and limits.rpm is None and limits.tpm is None:
        yield Finding(
            f"{name} limits",
            Grade.WARNING,
            f"no rpm and tpm in [engines.{name}]: only 429 answers slow Docmill down",
            "copy your account's limits into docmill.toml",
        )


def _models(name: str, config: Config) -> set[str]:
    """What some job may ask this engine for."""
    asked = {place.model for place in places(config) if place.engine == name}
    chosen = config.classifier
    return asked | ({chosen.model} if chosen.engine == name else set())


def _reached(
    check: str, deployment: Deployment, needed: set[str], *, probe: bool
) -> Iterator[Finding]:
    where = f"{deployment.config.kind} at {deployment.host}"
    try:
        health = asyncio.run(_with(deployment, lambda engine: engine.health()))
    except ConfigError as exc:  # the environment names a proxy or certificates that cannot be used
        yield Finding(check, Grade.PROBLEM, f"{where}: {exc}", "mend the environment")
        return
    if not health.ok:
        yield Finding(check, Grade.PROBLEM, f"{where}: {health.detail}", "start it or fix its URL")
        return
    yield Finding(check, Grade.OK, f"{where}: {health.detail}")
    offered_here = sorted(model for model in needed if health.offers(model))
    yield from _windows(check, deployment, offered_here)
    if probe:
        yield from (_probed(check, deployment, health, model) for model in offered_here)
    missing = sorted(model for model in needed if not health.offers(model))
    if missing:
        mends = (deployment.kind.mend_missing.format(model=model) for model in missing)
        advice = "; ".join(dict.fromkeys(mends))
        yield Finding(f"{check}: models", Grade.PROBLEM, f"missing: {', '.join(missing)}", advice)


def _windows(check: str, deployment: Deployment, models: Sequence[str]) -> Iterator[Finding]:
    """Where an engine of one's own tells a smaller window than it is taken to have."""
    if deployment.limited or not deployment.kind.is_probed:
        return
    wanted, key = deployment.config.context_tokens, f"engines.{deployment.name}.context_tokens"
    for model in models:
        has = _window(deployment, model)
        if has is not None and has < wanted:
            yield Finding(
                f"{check}: {model}",
                Grade.WARNING,
                f"{key} is {wanted:,}, and it has a window of {has:,}: that one counts",
                f"set {key} = {has}, or serve the model with a larger window",
            )


def _window(deployment: Deployment, model: str) -> int | None:
    try:
        return asyncio.run(_with(deployment, partial(told, model=model))).context_tokens
    except EngineError:
        return None


def _probed(check: str, deployment: Deployment, health: Health, model: str) -> Finding:
    """What an engine does with a model, by asking it; kept for the workers, too."""
    name, window = f"{check}: {model}", deployment.config.context_tokens
    ask = partial(ask_all, model=model, context_tokens=window, deep=True)
    try:
        traits = asyncio.run(_with(deployment, ask))
    except EngineError as exc:
        return Finding(name, Grade.PROBLEM, f"cannot be probed: {exc}")
    _keep(deployment, health, model, traits)
    well, not_well = said_of(traits)
    grade = Grade.WARNING if not_well else Grade.OK
    return Finding(name, grade, "; ".join([*not_well, *well, *offered(traits)]))


def _keep(deployment: Deployment, health: Health, model: str, traits: Traits) -> None:
    key = key_of(deployment.config.kind, health, model)
    if key is None or deployment.limited:  # workers ask by no traits there
        return
    # Where Postgres is away that has been said.
    with suppress(DocmillError, psycopg.Error), one_connection() as connection:
        fetch(connection, "calls/keep_traits", **row_of(key, traits))


async def _with(deployment: Deployment, ask: Callable[[Engine], Awaitable[T]]) -> T:
    """What comes of asking an engine."""
    engine = deployment.make()
    try:
        return await ask(engine)
    finally:
        await engine.close()


def _workers() -> Iterator[Finding]:
    """What living workers have in flight, and what they do not ask at present: of other hosts
    too."""
    try:
        with one_connection() as connection:
            servers, gates = fetch(connection, "flow/servers"), fetch(connection, "flow/gates")
    except (DocmillError, psycopg.OperationalError):
        return  # said above
    for row in servers:
        where = f"{row['engine']} at {row['address']}, worker {row['pid']} on {row['host']}"
        yield Finding("slots", Grade.OK, f"{where}: {_slots(row)}")
    for row in gates:
        grade = Grade.PROBLEM if row["lasting"] else Grade.WARNING
        model = f", {row['model']}" if row["model"] else ""
        check = f"{row['engine']} engine at {row['address']}{model}"
        yield Finding(check, grade, f"{row['code']}: {row['message']}")


def _slots(row: Row) -> str:
    """How many calls a worker may have in flight at an engine, and has."""
    most, in_use = row["max_slots"], row["in_use"]
    number = row["slots"] if most is None else f"auto: {row['slots']} of at most {most}"
    return f"{number}, {in_use} in use"


def _prices(config: Config) -> Iterator[Finding]:
    book = PriceBook(config)
    frontier = config.in_zone(Zone.FRONTIER)
    asked = {
        place.model
        for place in places(config)
        if place.engine in frontier and frontier[place.engine].second_price is None
    }
    for model in sorted(asked | {frontier_model(config)}):
        price = book.price(model)
        if model.startswith(STAND_IN):
            continue
        if price is None:
            yield Finding(
                "price",
                Grade.WARNING,
                f"unknown for {model}: its calls will show no cost",
                f'add [prices."{model}"] to docmill.toml',
            )
        else:
            yield Finding("price", Grade.OK, _price_line(model, price))
    for model in sorted(_hosted(config)):
        if retires(model):
            yield Finding(
                "model",
                Grade.WARNING,
                f"{model}: {RETIRES}",
                "choose another one before that day",
            )
    for name, engine in frontier.items():
        if engine.second_price is not None:
            yield Finding("price", Grade.OK, f"engines.{name}: ${engine.second_price} a second")
    for name, engine in config.in_zone(Zone.LOCAL).items():
        if engine.usd_per_hour is None:
            yield Finding(
                "price",
                Grade.WARNING,
                f"engines.{name}.usd_per_hour is not set: its calls show GPU seconds, no cost",
                "set it to what an hour of the machine costs",
            )


def _hosted(config: Config) -> set[str]:
    """The models that somebody else hosts."""
    frontier = config.in_zone(Zone.FRONTIER)
    return {place.model for place in places(config) if place.engine in frontier}


def _budget(config: Config) -> Finding:
    most = config.limits.usd_per_day
    if most is None:
        return Finding("budget", Grade.OK, "no limits.usd_per_day; batches have their --max-cost")
    with database.ready_connection() as connection:
        [spent] = connection.execute(load_sql("worker", "calls/spent_today")).fetchone() or (0,)
    detail = f"${most} a day (UTC) for all batches, ${spent} spent or reserved today"
    return Finding("budget", Grade.OK, detail)


def _private(config: Config) -> Finding:
    names = [*config.pin.patterns, *config.pin.own, *(["scans"] if config.pin.scans else [])]
    kept = ", ".join(sorted(names)) or "nothing; [pin] names what is to stay local"
    return Finding("private data", Grade.OK, f"chunks kept local for {kept}")


def _ocr(config: Config) -> Finding:
    if config.reading.ocr == "off":
        return Finding("ocr", Grade.OK, "off: scans end as needs_ocr")
    if config.reading.seen_by is not None:
        return _seen_by(config, config.reading.seen_by)
    ocr = chosen(config.reading, here())
    if ocr is None:
        detail = f"none on this host, so scans end as needs_ocr: {GET[Ocr.RAPIDOCR]}"
        return Finding("ocr", Grade.OK, detail)
    return Finding("ocr", Grade.OK, f"scans are read by {ocr}")


def _seen_by(config: Config, seen_by: SeenBy) -> Finding:
    """Whether the model that pages are shown to can see. Raises ConfigError."""
    deployment = deploy(seen_by.engine, config, own_config(), settings())
    try:
        sees = asyncio.run(_with(deployment, partial(told, model=seen_by.model))).images
    except EngineError as exc:
        return Finding(
            "ocr", Grade.PROBLEM, f"{config.reading.ocr}: {exc}", "scans wait until then"
        )
    if sees is False:
        advice = "name a model that does in reading.ocr"
        return Finding("ocr", Grade.PROBLEM, f"{config.reading.ocr} reads no images", advice)
    known = "" if sees else ", if it reads images: its engine does not say"
    return Finding("ocr", Grade.OK, f"scans are read by {config.reading.ocr}{known}")


def _price_line(model: str, price: Price) -> str:
    inward, outward = price.input_per_mtok.normalize(), price.output_per_mtok.normalize()
    return f"{model}: ${inward:f} in, ${outward:f} out per million tokens ({price.source})"
