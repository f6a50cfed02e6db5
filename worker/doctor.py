"""Doctor: try every connection, model, limit and price once, and say what to do about each."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

import redis
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from models import database
from models.config import Config, load_config
from models.errors import ConfigError, DocmillError
from models.queue import redis_client, redis_url
from models.settings import settings
from models.sql import load_sql
from models.words import Tier
from worker.calls.prices import Price, PriceBook
from worker.llm.engine import Health
from worker.llm.faults import place
from worker.settings import secrets
from worker.site import EngineSite, Site, find_site


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


def doctor(*, as_json: bool) -> int:
    """Print every finding; 1 when one is a problem."""
    findings = list(_examine())
    if as_json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings]) + "\n")
    else:
        for finding in findings:
            sys.stdout.write(_line(finding))
    return int(any(finding.grade is Grade.PROBLEM for finding in findings))


def _line(finding: Finding) -> str:
    mark = {Grade.OK: "ok  ", Grade.WARNING: "note", Grade.PROBLEM: "FAIL"}[finding.grade]
    advice = f"\n       -> {finding.advice}" if finding.advice else ""
    return f"{mark}  {finding.check}: {finding.detail}{advice}\n"


def _examine() -> Iterator[Finding]:
    yield _guarded("postgres", _postgres)
    yield _guarded("redis", _redis)
    try:
        config = load_config(settings().docmill_config)
        site = find_site(config, settings(), secrets())
    except DocmillError as exc:
        yield Finding("config", Grade.PROBLEM, str(exc), "mend docmill.toml or the environment")
        return
    where = settings().docmill_config
    yield Finding(
        "config", Grade.OK, f"{where}" if where.exists() else "defaults (no docmill.toml)"
    )
    yield from _engine("local engine", site.local, _local_models(site.config))
    yield from _frontier(site)
    yield from _prices(site)
    yield _guarded("budget", lambda: _budget(site.config))
    yield _private(site.config)


def _guarded(check: str, run: Callable[[], Finding]) -> Finding:
    try:
        return run()
    except (DocmillError, OperationalError, redis.RedisError, OSError) as exc:
        return Finding(
            check, Grade.PROBLEM, str(exc).splitlines()[0], f"start {check} or fix its URL"
        )


def _postgres() -> Finding:
    engine = database.ready_engine()
    with engine.connect() as connection:
        version = connection.execute(text("SHOW server_version")).scalar()
    kind = "" if settings().database_url else " (embedded)"
    detail = f"{version} at {database.safe_url()}{kind}, schema {database.current_revision()}"
    return Finding("postgres", Grade.OK, detail)


def _redis() -> Finding:
    info = redis_client().info()
    kind = "" if settings().redis_url else " (embedded)"
    policy = info.get("maxmemory_policy", "noeviction")
    detail = f"{info.get('redis_version')} at {place(redis_url())}{kind}"
    if policy != "noeviction":
        advice = "set maxmemory-policy noeviction: evicted hints only cost time, but they do"
        return Finding("redis", Grade.WARNING, f"{detail}, maxmemory-policy {policy}", advice)
    return Finding("redis", Grade.OK, detail)


def _local_models(config: Config) -> set[str]:
    tasks = {chosen.model for chosen in config.tasks.values() if chosen.engine is Tier.LOCAL}
    return tasks | {config.classifier.model} | {lang.model for lang in config.languages.values()}


def _frontier_models(config: Config) -> set[str]:
    return {chosen.model for chosen in config.tasks.values() if chosen.engine is Tier.FRONTIER}


def _frontier(site: Site) -> Iterator[Finding]:
    if isinstance(site.frontier, ConfigError):
        yield Finding("frontier engine", Grade.WARNING, str(site.frontier))
        return
    if site.frontier.stand_in:
        yield Finding(
            "frontier engine",
            Grade.WARNING,
            "stand-in: the embedded model serves the frontier queue; no frontier model is asked",
            "set FRONTIER_API_KEY for a real one",
        )
        return
    yield from _engine("frontier engine", site.frontier, _frontier_models(site.config))
    limits = site.frontier.config
    if limits.rpm is None and limits.tpm is None:
        yield Finding(
            "frontier limits",
            Grade.WARNING,
            "no rpm and tpm in [engines.frontier]: only 429 answers slow Docmill down",
            "copy your account's limits into docmill.toml",
        )


def _engine(check: str, site: EngineSite, needed: set[str]) -> Iterator[Finding]:
    health = asyncio.run(_health(site))
    where = f"{site.config.kind} at {site.host}"
    if not health.ok:
        yield Finding(check, Grade.PROBLEM, f"{where}: {health.detail}", "start it or fix its URL")
        return
    yield Finding(check, Grade.OK, f"{where}: {health.detail}")
    missing = sorted(model for model in needed if not _offered(model, health.models))
    if missing and health.models:
        pull = "; ".join(f"ollama pull {model}" for model in missing)
        advice = pull if site.config.kind == "ollama" else "choose a model that it offers"
        yield Finding(f"{check}: models", Grade.PROBLEM, f"missing: {', '.join(missing)}", advice)


async def _health(site: EngineSite) -> Health:
    engine = site.make()
    try:
        return await engine.health()
    finally:
        await engine.close()


def _offered(model: str, offered: tuple[str, ...]) -> bool:
    return model in offered or f"{model}:latest" in offered


def _prices(site: Site) -> Iterator[Finding]:
    book = PriceBook(site.config)
    for model in sorted(_frontier_models(site.config) | {site.frontier_model}):
        price = book.price(model)
        if model.startswith("stand-in/"):
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
    if site.local.config.usd_per_hour is None:
        yield Finding(
            "price",
            Grade.WARNING,
            "engines.local.usd_per_hour is not set: local calls show GPU seconds, no cost",
            "set it to what an hour of the machine costs",
        )


def _budget(config: Config) -> Finding:
    most = config.limits.usd_per_day
    if most is None:
        return Finding("budget", Grade.OK, "no limits.usd_per_day; batches have their --max-cost")
    with database.ready_engine().connect() as connection:
        spent = connection.execute(text(load_sql("worker", "spent_today"))).scalar()
    detail = f"${most} a day (UTC) for all batches, ${spent} spent or reserved today"
    return Finding("budget", Grade.OK, detail)


def _private(config: Config) -> Finding:
    names = [*config.pin.patterns, *config.pin.own]
    kept = ", ".join(sorted(names)) or "nothing; [pin] names what is to stay local"
    return Finding("private data", Grade.OK, f"chunks kept local for {kept}")


def _price_line(model: str, price: Price) -> str:
    inward, outward = price.input_per_mtok.normalize(), price.output_per_mtok.normalize()
    return f"{model}: ${inward:f} in, ${outward:f} out per million tokens ({price.source})"
