"""Serve: an adapter on its way to an engine. At first it is loaded under a name of its own, so that
what is served can be measured; it is given work once it was, and is better than its base."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.adapter import digest_of
from models.configuration import applied
from models.engines import EMBEDDED, EngineConfig, tuned_name
from models.errors import InputError
from producer.query import Row
from producer.tune import registry
from producer.tune.export import MANIFEST
from producer.tune.recipes import PEFT, USUAL_RANK, Recipe, Wanted, recipe, tasks_toml, write


@dataclass(frozen=True, slots=True)
class Served:
    """What is to be done, and what it is for."""

    place: str
    made: Recipe
    written: list[Path]
    known: Row | None
    """What the registry says of the adapter; None: it was not measured yet."""
    folder: Path
    tasks: str
    """The [tasks] tables that give it work; empty: it is not to have any yet."""


def serve(
    folder: Path,
    engine: str,
    name: str,
    base: str,
    server: str,
    pairs: Path | None,
    *,
    anyway: bool,
) -> Served:
    """Write what an engine takes of the adapter in a folder. Raises InputError where it was
    measured and is not better than its base, unless `anyway`."""
    folder = folder.resolve()
    digest = adapter_digest(folder)
    config = _engine(engine)
    embedded = config.kind == EMBEDDED
    model = tuned_name(digest) if embedded else name or folder.name
    wanted = Wanted(
        folder,
        engine,
        server if config.kind == "openai" else config.kind,
        model,
        base,
        pairs is None or bool(registry.read_told(pairs / MANIFEST).get("examples", True)),
        _rank(folder),
    )
    made, known, place = recipe(wanted), registry.of_adapter(digest), f"{engine}/{model}"
    if known is not None:
        refuse_worse(known, anyway=anyway)
    written = write(made, folder)
    if known is None:
        return Served(place, made, written, None, folder, "")
    registry.serve(known["model"], anyway=not known["better"])
    tasks = "" if embedded else tasks_toml(place, sorted(known["scores"]))
    return Served(place, made, written, known, folder, tasks)


def adapter_digest(folder: Path) -> str:
    """SHA-256 of the adapter in a folder. Raises InputError."""
    try:
        return digest_of(folder / registry.ADAPTER)
    except OSError as exc:
        raise InputError(
            f"{folder} holds no {registry.ADAPTER}; `docmill tune train` writes one"
        ) from exc


def _engine(name: str) -> EngineConfig:
    engines = applied().config.engines
    if name not in engines:
        raise InputError(f"there is no engine {name}; there are: {', '.join(sorted(engines))}")
    return engines[name]


def _rank(folder: Path) -> int:
    """Of the adapter, which vLLM has to be told."""
    path = folder / PEFT / "adapter_config.json"
    return int(registry.read_told(path)["r"]) if path.exists() else USUAL_RANK


def refuse_worse(known: Row, *, anyway: bool) -> None:
    """Raises InputError where a tuned model was measured and is not better than its base."""
    if known["better"] or anyway:
        return
    listed = "; ".join(
        f"{task}: {_right(found, known['place'])} against {_right(found, known['base'])}"
        for task, found in known["scores"].items()
    )
    raise InputError(
        f"model {known['model']} of the registry is not better than {known['base']} beyond chance "
        f"({listed} right). Train it on more rows, or say --anyway: the registry will say so"
    )


def _right(found: Mapping[str, Any], place: str) -> str:
    said = found.get(place, {"right": 0, "n": 0})
    return f"{said['right']} of {said['n']}"
