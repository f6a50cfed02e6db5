"""Recipes: what each kind of engine takes of a tuned model, and the commands that give it to it.

Pure, but for the files that `write` puts into the training's folder.
"""

from dataclasses import dataclass
from pathlib import Path

from models.engines import EMBEDDED
from models.errors import InputError
from models.resolve import BARE_KEY
from producer.tune.registry import ADAPTER

MERGED, MODELFILE, PEFT = "merged.gguf", "Modelfile", "peft"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be served, and where."""

    folder: Path
    """Of the training, absolute."""
    engine: str
    kind: str
    """Of the engine; for kind `openai` the server: vllm or llama-server."""
    name: str
    """What the tuned model is called there."""
    base: str
    """The model that it was tuned from, as that server knows it."""
    examples: bool
    """Whether it was trained on prompts with examples."""
    rank: int = 16


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a server is given a model."""

    files: dict[str, str]
    """To be written beside the adapter, by name."""
    needs: tuple[str, ...]
    """What must lie in the training's folder."""
    commands: tuple[str, ...]
    """To be run where the server is, in order; a line that begins with # says what is done."""
    toml: str
    """For docmill.toml."""


def recipe(wanted: Wanted) -> Recipe:
    """How a server takes a tuned model. Raises InputError where a kind of engine takes none."""
    makers = {
        EMBEDDED: _embedded,
        "ollama": _ollama,
        "llama-server": _llama_server,
        "vllm": _vllm,
    }
    if wanted.kind not in makers:
        raise InputError(
            f"engine {wanted.engine} is of kind {wanted.kind}, which serves no models of your own; "
            f"name one of kind {EMBEDDED}, ollama, or openai with --server vllm or llama-server"
        )
    return makers[wanted.kind](wanted)


def _embedded(wanted: Wanted) -> Recipe:
    adapter = wanted.folder / ADAPTER
    toml = f'[engines.{wanted.engine}]\nkind = "embedded"\nadapter = "{adapter}"\n'
    return Recipe({}, (ADAPTER,), ("docmill config apply", "# then start the workers again"), toml)


def _ollama(wanted: Wanted) -> Recipe:
    """Ollama makes no adapters since 0.34: it takes a ready GGUF alone. A GGUF without a template
    would never show the model its system message, so the merged one has to keep the base's."""
    folder = wanted.folder
    return Recipe(
        {MODELFILE: f"FROM ./{MERGED}\n"},
        (ADAPTER,),
        (
            "# merge the adapter into the base's GGUF (llama.cpp), which keeps its chat template",
            f"llama-export-lora -m {wanted.base}.gguf --lora {folder / ADAPTER} "
            f"-o {folder / MERGED}",
            f"cd {folder} && ollama create {wanted.name} -f {MODELFILE}",
            f"ollama show {wanted.name} --modelfile   # TEMPLATE must not be {{{{ .Prompt }}}}",
        ),
        _told(wanted),
    )


def _llama_server(wanted: Wanted) -> Recipe:
    command = (
        f"llama-server -m {wanted.base}.gguf --lora {wanted.folder / ADAPTER} "
        f"--alias {wanted.name} --jinja --parallel 16 --ctx-size 131072 --port 8000"
    )
    return Recipe({}, (ADAPTER,), (command,), _told(wanted))


def _vllm(wanted: Wanted) -> Recipe:
    command = (
        f"vllm serve {wanted.base} --enable-lora --max-lora-rank {wanted.rank} "
        f"--lora-modules {wanted.name}={wanted.folder / PEFT} --port 8000"
    )
    return Recipe({}, (PEFT,), (command,), _told(wanted))


def _told(wanted: Wanted) -> str:
    """How Docmill is told that a model was tuned on prompts without examples."""
    if wanted.examples:
        return ""
    return f"[engines.{_key(wanted.engine)}.models.{_key(wanted.name)}]\nexamples = false\n"


def _key(name: str) -> str:
    """A name as TOML takes it for a key."""
    return name if BARE_KEY.fullmatch(name) else f'"{name}"'


def write(made: Recipe, folder: Path) -> list[Path]:
    """Put the files of a recipe into the training's folder. Raises InputError where something is
    missing there."""
    missing = [name for name in made.needs if not (folder / name).exists()]
    if missing:
        raise InputError(f"{folder} lacks {', '.join(missing)}, which `docmill tune train` writes")
    written = [folder / name for name in made.files]
    for path, text in zip(written, made.files.values(), strict=True):
        path.write_text(text, "utf-8")
    return written


def tasks_toml(place: str, tasks: list[str]) -> str:
    """The [tasks] tables that give a model the work."""
    engine, _, model = place.partition("/")
    return "".join(f'[tasks.{task}]\nengine = "{engine}"\nmodel = "{model}"\n' for task in tasks)
