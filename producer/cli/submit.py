"""Submitting: options and files made into a batch, or into a plan of one."""

import base64
import json
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from models.words import Policy, Scope
from producer.cli.options import (
    TASKS,
    AsJson,
    Password,
    PasswordFile,
    SourcePassword,
    access,
    here,
    task,
    usd,
)

if TYPE_CHECKING:
    from models.spec import Spec
    from producer.query import Row
    from producer.remote.access import Access
    from producer.sources import Source
    from producer.submit import Submitted, Unlock

LONGEST_NAMED = 200
"""Characters of the paths that are repeated in a command; more of them are left to the reader."""


@dataclass(frozen=True, slots=True)
class _Documents:
    """What is submitted, and what opens it."""

    paths: Sequence[str]
    passwords: Sequence[str]
    access: "Access"


def submit(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, globs, JSONL of texts, addresses (https://, s3://BUCKET/PREFIX, "
            "gs://, davs://, imaps://); - reads standard input."
        ),
    ],
    ask: Annotated[
        list[str] | None, typer.Option(help="What to do or find. Repeat for several.")
    ] = None,
    spec: Annotated[
        Path | None, typer.Option(help="A YAML file with asks and options, instead of --ask.")
    ] = None,
    fields: Annotated[
        str | None, typer.Option(help="Answer with these fields, such as vendor,total,date.")
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(help="Answer as this JSON Schema file says; it describes an object."),
    ] = None,
    check: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="What a right answer fulfils, such as 'total == sum(items.amount)' or "
            "'iban valid'. Repeat for several; about --fields or --schema.",
        ),
    ] = None,
    important: Annotated[
        str | None,
        typer.Option(
            metavar="FIELDS",
            help="Fields, such as total,iban, that are read a second time even where they are only "
            "to be checked.",
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            parser=task,
            metavar=f"<{'|'.join(TASKS)}>",
            help="Task type; auto, the default: it is found out from the ask.",
        ),
    ] = None,
    scope: Annotated[
        Scope | None, typer.Option(help="Ask each chunk, the default, or each document as a whole.")
    ] = None,
    policy: Annotated[
        Policy | None,
        typer.Option(
            help="local-only: nothing of it may leave the building. Default: allow-frontier."
        ),
    ] = None,
    allow_provider_batch: Annotated[
        bool,
        typer.Option(
            "--allow-provider-batch",
            help="Where there is time, hand texts in at the provider in batches, at about half the "
            "price; it keeps them until they are answered, for up to a day or so.",
        ),
    ] = False,
    name: Annotated[str | None, typer.Option(help="What to call the batch.")] = None,
    priority: Annotated[int | None, typer.Option(help="Higher runs first. Default: 0.")] = None,
    max_cost: Annotated[
        Decimal | None,
        typer.Option(
            parser=usd,
            metavar="USD",
            help="Budget of its frontier calls; the jobs beyond it are held.",
        ),
    ] = None,
    deadline: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="When it should be finished: 18:00, 6h or 2026-12-01T09:00. Of equal priority the "
            "nearest runs first.",
        ),
    ] = None,
    no_reuse: Annotated[
        bool,
        typer.Option(
            "--no-reuse", help="Ask anew, also where an equal question has been answered."
        ),
    ] = False,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan",
            help="Only say what would be done, what it may cost at most and whether it keeps its "
            "deadline; nothing is stored.",
        ),
    ] = False,
    resume: Annotated[
        int | None,
        typer.Option(
            metavar="BATCH", help="Go on with a submit that was interrupted, with the same paths."
        ),
    ] = None,
    password: Password = None,
    password_file: PasswordFile = None,
    source_password_file: SourcePassword = None,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and show the progress.")] = False,
    as_json: AsJson = False,
) -> None:
    """Submit documents with one or more asks; prints the batch's number."""
    from producer.unlock import passwords_of

    options = {"policy": policy, "name": name, "priority": priority, "max_cost": max_cost}
    options["deadline"] = deadline
    options["reuse"] = False if no_reuse else None
    options["allow_provider_batch"] = allow_provider_batch or None
    given = {key: value for key, value in options.items() if value is not None}
    documents = _Documents(
        paths, passwords_of(password, password_file), access(source_password_file)
    )
    shape: dict[str, Any] = {"fields": fields, "schema": schema, "task": task, "scope": scope}
    shape |= {"checks": check, "important": important}
    if resume is not None:
        if ask or spec or plan or given or any(shape.values()):
            raise typer.BadParameter(
                "--resume takes paths alone (and passwords, --watch, --json): what is asked and "
                "every other option stand in the batch"
            )
        raise typer.Exit(_resume(resume, documents, as_json, watch))
    if (ask is None) == (spec is None):
        raise typer.BadParameter("give --ask (once or more) or --spec FILE, one of the two")
    batch = _spec(ask or (), spec, shape, given)
    if plan:
        raise typer.Exit(_plan(batch, documents, as_json))
    raise typer.Exit(_new(batch, documents, as_json, watch))


def _spec(
    asks: Sequence[str], path: Path | None, shape: dict[str, Any], options: dict[str, Any]
) -> "Spec":
    if path is not None:
        if any(shape.values()):
            raise typer.BadParameter(
                "--fields, --schema, --check, --important, --task and --scope stand in the spec "
                "file"
            )
        return spec_from_file(path, options)
    if shape["fields"] and shape["schema"]:
        raise typer.BadParameter("give --fields or --schema, not both")
    return spec_from_asks(asks, options=options, **shape)


def spec_from_file(path: Path, options: dict[str, Any]) -> "Spec":
    """A spec file, with the batch's options over it. Raises ConfigError."""
    from models.spec import load_spec, make_spec

    checked = make_spec({"asks": [{"ask": "-"}], **options}, "options")
    return load_spec(path).model_copy(update=checked.model_dump(include=set(options)))


def spec_from_asks(
    asks: Sequence[str],
    fields: str | None,
    schema: Path | None,
    task: str | None,
    scope: Scope | None,
    options: dict[str, Any],
    checks: Sequence[str] | None = None,
    important: str | None = None,
) -> "Spec":
    """The spec that the options come to: asks that all have one shape. Raises ConfigError."""
    from models.spec import load_schema, make_spec

    shape: dict[str, Any] = {"task": task, "scope": scope or Scope.CHUNK}
    if fields:
        shape["fields"] = _names(fields)
    if checks:
        shape["checks"] = checks
    if important:
        shape["important"] = _names(important)
    if schema:
        shape["schema"] = load_schema(schema)
    return make_spec({"asks": [{"ask": ask, **shape} for ask in asks], **options}, "options")


def _names(said: str) -> list[str]:
    return [name.strip() for name in said.split(",")]


def _sources(documents: _Documents) -> "Iterator[Source]":
    from producer.sources import gather

    return gather(documents.paths, sys.stdin.buffer, here().limits.file_mb, documents.access)


def _new(spec: "Spec", documents: _Documents, as_json: bool, watch: bool) -> int:
    from producer.submit import submit as store

    def into(stored: "Callable[[Submitted], None]", unlock: "Unlock") -> "Submitted":
        return store(spec, _sources(documents), stored, unlock)

    return _store(into, documents, as_json, watch)


def _resume(batch: int, documents: _Documents, as_json: bool, watch: bool) -> int:
    from producer.submit import resume as store

    def into(stored: "Callable[[Submitted], None]", unlock: "Unlock") -> "Submitted":
        return store(batch, _sources(documents), stored, unlock)

    return _store(into, documents, as_json, watch)


def _store(
    store: "Callable[[Callable[[Submitted], None], Unlock], Submitted]",
    documents: _Documents,
    as_json: bool,
    watch: bool,
) -> int:
    """Store documents and say so; exit code 1 when nothing could be submitted, or not all that was
    listed. One that is broken off says what goes on with it."""
    from producer import render
    from producer.cli.look import follow, print_json
    from producer.unlock import Unlocker

    so_far: list[Submitted] = []
    try:
        with (
            render.storing(sys.stderr.isatty() and not as_json) as show,
            Unlocker(documents.passwords, here().limits) as unlocker,
        ):

            def stored(result: "Submitted") -> None:
                so_far.append(result)
                show(result)

            result = store(stored, unlocker)
            result.locked = unlocker.shut
    except BaseException:  # Ctrl-C too
        if so_far:
            render.broken_off(so_far[-1], _named(documents.paths))
        raise
    if as_json:
        print_json(result.as_json())
    else:
        render.submitted(result)
    if result.broke_off:
        render.broken_off(result, _named(documents.paths))
    if result.batch is None or result.broke_off:
        return 1
    if watch:
        follow(result.batch, as_json)
    return 0


def _named(paths: Sequence[str]) -> str:
    """The paths as they were typed; not where an address holds what is not to be shown."""
    from producer.remote.place import shown
    from producer.sources import is_address

    words = shlex.join(paths)
    is_open = all(shown(path) == path for path in paths if is_address(path))
    return words if is_open and len(words) <= LONGEST_NAMED else "PATHS"


def _plan(spec: "Spec", documents: _Documents, as_json: bool) -> int:
    """Read and cut the documents and count, without storing or sending any of them."""
    from producer.processes import run_worker_module
    from producer.query import paces
    from producer.unlock import Unlocker

    words = ["plan", *(["--json"] if as_json else [])]
    with Unlocker(documents.passwords, here().limits) as unlock:
        lines = _plan_lines(spec, paces(), _sources(documents), unlock)
        return run_worker_module(*words, lines=lines)


def _plan_lines(
    spec: "Spec", paces: "Sequence[Row]", sources: "Iterable[Source]", unlock: "Unlock"
) -> Iterator[str]:
    from producer import render
    from producer.sources import Accepted

    yield spec.model_dump_json(by_alias=True)
    yield json.dumps(paces)
    for source in sources:
        if isinstance(source, Accepted):
            data = base64.b64encode(unlock(source.media_type, source.data)).decode()
            document = {"path": source.path, "media_type": source.media_type, "data": data}
            yield json.dumps(document)
        else:
            render.refused(source)
