"""What the adapter of the embedded model is worth: the model with it beside the model without.

python -m benchmarks.adapter [--adapter FILE] [--most N] [--only strangers,...] [--trained FOLDER]
                             [--answers FOLDER] [--outright]

One server holds both; each request says which of them is asked, as workers ask it: the tuned model
without examples in its prompts, the bare one with them. `strangers` is the honest part: mails and
receipts that no template has (strangers/), and the sample mails under other labels. --outright
lets the tuned model write its labels, as workers let an adapter of one's own. --answers writes
what each said of the public receipts, for `python -m benchmarks.field_checks --given`.
"""

import argparse
import asyncio
import hashlib
import json
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models.adapter import SHIPPED
from models.engines import (
    EMBEDDED_CONTEXT_TOKENS,
    EMBEDDED_MAX_TOKENS,
    EMBEDDED_MODEL,
    tuned_name,
)
from models.shares import wilson
from models.spec import fields_schema, load_spec
from models.words import TaskType
from worker.calls.prepare import prepared
from worker.ingest.language import language
from worker.llm.embedded.engine import EmbeddedEngine
from worker.llm.embedded.server import attach_llama
from worker.llm.engine import Completion, Message, Request
from worker.llm.grammar import bounded, grammar, limited
from worker.llm.probe import Traits
from worker.prompts import manner, task_messages
from worker.read.pdfium import Document
from worker.run.verify.same import same
from worker.tune.synthetic.lot import Lot
from worker.tune.synthetic.sorting import sorting

HERE = Path(__file__).parent
SAMPLES, STRANGERS = HERE.parent / "samples", HERE / "strangers"
PUBLIC = HERE.parent.parent / "shared" / "data" / "extraction_open.jsonl"
"""Receipts of the world, which nothing was trained on; where they are at hand."""
RECEIPT_ASK = "Find the company, the date, the address and the total."
TIMEOUT_S = 600.0
MADE, MADE_FROM = 80, 1_000_000
SAME_PROMPTS, SAME_TOKENS = 20, 96


@dataclass(frozen=True)
class Case:
    """A text with its ask and the right answer, and the part of the report that it counts in."""

    part: str
    ask: str
    schema: Mapping[str, Any]
    text: str
    right: Mapping[str, Any]
    id: str = ""
    """Of a public text."""

    @property
    def task(self) -> TaskType:
        """Told by what is asked for."""
        labels = any("enum" in each for each in self.schema["properties"].values())
        return TaskType.CLASSIFICATION if labels else TaskType.EXTRACTION

    def request(self, model: str, *, examples: bool, weigh: bool = True) -> Request:
        """As a worker sends it to the embedded engine; `weigh`: its labels are weighed."""
        most = EMBEDDED_MAX_TOKENS[self.task]
        how = manner(self.task, model, language(self.text), examples=examples)
        messages = task_messages(self.task, self.ask, self.text, self.schema, how)
        form = bounded(limited(grammar(self.schema).schema, most), most)
        request = Request(
            model,
            messages,
            most,
            EMBEDDED_CONTEXT_TOKENS,
            form,
            fixed=len(messages) - 1,
            text=self.text.strip() if weigh else "",
        )
        return prepared(request, Traits())


def labels_schema(key: str, labels: list[str]) -> dict[str, Any]:
    """One of these labels under this key."""
    return {
        "type": "object",
        "properties": {key: {"enum": labels}},
        "required": [key],
        "additionalProperties": False,
    }


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def sample_texts() -> dict[str, str]:
    """The sample mails and invoices, by the names of samples/key.yaml."""
    texts = {path.name: path.read_text("utf-8") for path in SAMPLES.glob("*.txt")}
    for line in (SAMPLES / "mails.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        texts[f"mails.jsonl#{row['id']}"] = row["text"]
    for path in SAMPLES.glob("invoice-*.pdf"):
        with Document(path.read_bytes()) as document:
            sheets = (document.sheet(at, 100_000) for at in range(len(document)))
            texts[path.name] = "\n".join(one.reading.text for one in sheets if one)
    return texts


def samples() -> Iterator[Case]:
    """The mails and invoices of the demo, as its spec asks about them."""
    key, texts = _yaml(SAMPLES / "key.yaml"), sample_texts()
    asks = {ask.label: ask for ask in load_spec(SAMPLES / "spec.yaml").asks}
    for part in ("mail type", "invoice fields"):
        schema = asks[part].answer_schema or {}
        for name, right in key[part].items():
            yield Case(f"samples: {part}", asks[part].text, schema, texts[name], right)


def renamed() -> Iterator[Case]:
    """The sample mails, asked about in other words and with other labels."""
    mails, texts = _yaml(STRANGERS / "mails.yaml"), sample_texts()
    for asked in mails["renamed"]:
        schema = labels_schema(asked["key"], list(asked["labels"].values()))
        for name, kind in mails["samples"].items():
            text = texts.get(name) or texts[f"mails.jsonl#{name}"]
            right = {asked["key"]: asked["labels"][kind]}
            yield Case("strangers: sample mails renamed", asked["ask"], schema, text, right)


def strangers() -> Iterator[Case]:
    """Mails and receipts that no template has; `unseen`: nor did whoever chose how to ask."""
    mails = _yaml(STRANGERS / "mails.yaml")
    for part in ("trades", "unseen"):
        for trade in mails[part]:
            schema = labels_schema(trade["key"], trade["labels"])
            for mail in trade["mails"]:
                right = {trade["key"]: mail["right"]}
                yield Case(f"strangers: mails, {part}", trade["ask"], schema, mail["text"], right)
    receipts = _yaml(STRANGERS / "receipts.yaml")
    schema = fields_schema(tuple(receipts["fields"]))
    for one in receipts["receipts"]:
        yield Case("strangers: receipts", receipts["ask"], schema, one["text"], one["answer"])


def public(most: int) -> Iterator[Case]:
    """Receipts of the public set, drawn by lot; nothing where it is not at hand."""
    if not PUBLIC.exists():
        return
    rows = [json.loads(line) for line in PUBLIC.read_text("utf-8").splitlines()]
    rows = [row for row in rows if row["id"].startswith(("sroie", "receipt"))]
    for row in random.Random(1).sample(rows, min(most, len(rows))):
        schema = fields_schema(tuple(row["fields"]))
        yield Case("public receipts", RECEIPT_ASK, schema, row["text"], row["fields"], row["id"])


def made(most: int) -> Iterator[Case]:
    """Texts to be sorted as the training's are made, of seeds that it did not have."""
    for seed in range(MADE_FROM, MADE_FROM + min(most, MADE)):
        task = sorting(Lot(seed))
        yield Case("made: to be sorted", task.ask, task.schema, task.text, task.answer)


PARTS: Mapping[str, Callable[[int], Iterator[Case]]] = {
    "samples": lambda most: samples(),
    "renamed": lambda most: renamed(),
    "strangers": lambda most: strangers(),
    "made": made,
    "public": public,
}


class Asked:
    """Which fields were right, exactly and but for the form, and what the calls took."""

    def __init__(self) -> None:
        self.exact: dict[tuple[str, str], list[bool]] = defaultdict(list)
        self.alike: dict[tuple[str, str], list[bool]] = defaultdict(list)
        self.seconds: list[float] = []
        self.tokens: list[int] = []
        self.public: dict[str, Any] = {}
        """The answers to public texts, by their ids."""

    def count(self, case: Case, completion: Completion, seconds: float) -> None:
        """Take in one answer."""
        try:
            said = json.loads(completion.text)
        except ValueError:
            said = {}
        said = said if isinstance(said, dict) else {}
        if case.id:
            self.public[case.id] = said
        for name, right in case.right.items():
            value = said.get(name)
            for place in ((case.part, name), (case.part, "")):
                self.exact[place].append(_plain(value) == _plain(right))
                self.alike[place].append(same(value, right))
        self.seconds.append(seconds)
        self.tokens.append(completion.usage.input_tokens or 0)


def _plain(value: Any) -> Any:
    """But for spaces and the ends of lines, which readers put where they like."""
    return " ".join(value.split()) if isinstance(value, str) else value


async def ask_all(
    url: str, cases: list[Case], names: tuple[str, ...], *, weigh: bool
) -> dict[str, Asked]:
    """Ask each model about each case, the models taking turns so that a busy machine meets all."""
    engine = EmbeddedEngine(url, timeout_s=TIMEOUT_S, models=names)
    found = {name: Asked() for name in names}
    for at, case in enumerate(cases):
        for name in names:
            began = time.perf_counter()
            request = case.request(name, examples=name == EMBEDDED_MODEL, weigh=weigh)
            answer = await engine.complete(request)
            found[name].count(case, answer, time.perf_counter() - began)
            print(f"{at + 1}/{len(cases)} {name} {case.right} -> {answer.text}", flush=True)
    await engine.close()
    return found


def report(found: Mapping[str, Asked]) -> None:
    """Print the share of right values of each part and field, with 95 % intervals."""
    first = next(iter(found.values()))
    for part, name in sorted(first.exact):
        line = f"{part:34} {name or 'all':12}"
        for model, asked in found.items():
            rights, alike = asked.exact[part, name], asked.alike[part, name]
            low, high = wilson(sum(rights), len(rights))
            line += (
                f" | {model[:24]} {sum(rights)} of {len(rights)} exact ({low:.2f} to {high:.2f}), "
                f"{sum(alike)} but for the form"
            )
        print(line)
    for model, asked in found.items():
        count = len(asked.seconds)
        print(
            f"{model}: {sum(asked.seconds) / count:.2f} s a call, "
            f"{sum(asked.tokens) / count:.0f} prompt tokens"
        )


def write_answers(found: Mapping[str, Asked], folder: Path) -> None:
    """A file for each model, a line for each public text."""
    folder.mkdir(parents=True, exist_ok=True)
    for model, asked in found.items():
        path = folder / f"{'bare' if model == EMBEDDED_MODEL else 'tuned'}.jsonl"
        lines = (json.dumps({"id": key, "value": said}) for key, said in asked.public.items())
        path.write_text("".join(f"{line}\n" for line in lines), "utf-8")


async def latency(url: str, tuned: str, cases: list[Case]) -> None:
    """The same prompts with the adapter and without, one after the other, none from the cache."""
    engine = EmbeddedEngine(url, timeout_s=TIMEOUT_S, models=(tuned,))
    took: dict[str, list[float]] = {EMBEDDED_MODEL: [], tuned: []}
    for case in cases:
        for name in took:
            request = case.request(name, examples=False, weigh=False)
            began = time.perf_counter()
            answer = await engine.complete(request)
            tokens = (answer.usage.input_tokens or 0) + (answer.usage.output_tokens or 0)
            took[name].append((time.perf_counter() - began) / max(tokens, 1))
    await engine.close()
    for name, each in took.items():
        print(f"latency {name}: {1000 * sorted(each)[len(each) // 2]:.2f} ms a token, median")


async def same_answers(url: str, tuned: str, folder: Path, pairs: Path) -> None:
    """How many of the trained model's greedy answers the served 4-bit model gives, too."""
    import torch

    from worker.tune.learn.lora import attach, load
    from worker.tune.learn.model import load_base
    from worker.tune.options import Options
    from worker.tune.pairs import read_pairs

    base, options = load_base(None, folder), Options()
    kept = torch.load(folder / "checkpoint.pt", weights_only=True)
    load(attach(base.model, options.rank, options.alpha, options.seed), kept["weights"])
    engine = EmbeddedEngine(url, timeout_s=TIMEOUT_S, models=(tuned,))
    equal = 0
    for pair in read_pairs(pairs)[:SAME_PROMPTS]:
        ids = torch.tensor([base.prompt(pair)])
        with torch.no_grad():
            made = base.model.generate(ids, max_new_tokens=SAME_TOKENS, do_sample=False)
        text = base.tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)
        rules, asked = (each["content"] for each in pair.prompt if not isinstance(each, str))
        messages = (Message("system", rules), Message("user", asked))
        answer = await engine.complete(
            Request(tuned, messages, SAME_TOKENS, EMBEDDED_CONTEXT_TOKENS)
        )
        equal += text.strip() == answer.text.strip()
        print(f"trained: {text.strip()[:160]}\nserved:  {answer.text.strip()[:160]}", flush=True)
    await engine.close()
    print(f"the served model says what the trained one says on {equal} of {SAME_PROMPTS} prompts")


def main() -> None:
    """Measure, and print every answer and the shares in the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adapter", type=Path, default=SHIPPED)
    parser.add_argument("--most", type=int, default=120, help="public receipts")
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {', '.join(PARTS)}, none")
    parser.add_argument("--without", action="store_true", help="ask the bare model alone")
    parser.add_argument("--with", dest="tuned", action="store_true", help="the tuned one alone")
    parser.add_argument("--home", type=Path, help="keeps the model file for another run")
    parser.add_argument("--answers", type=Path, help="a folder for those to public receipts")
    parser.add_argument("--latency", action="store_true")
    parser.add_argument("--outright", action="store_true", help="labels are not weighed")
    parser.add_argument("--trained", type=Path, help="what `docmill tune train` wrote")
    parser.add_argument("--pairs", type=Path, help="whose first prompts are asked of both")
    chosen = parser.parse_args()
    digest = hashlib.sha256(chosen.adapter.read_bytes()).hexdigest()
    tuned = tuned_name(digest)
    names: tuple[str, ...] = (tuned,) if chosen.tuned else (EMBEDDED_MODEL,)
    if not chosen.tuned and not chosen.without:
        names = (EMBEDDED_MODEL, tuned)
    cases = [
        case
        for part in chosen.only.split(",")
        if part in PARTS
        for case in PARTS[part](chosen.most)
    ]
    with tempfile.TemporaryDirectory(prefix="docmill-adapter-") as new:
        home = chosen.home or Path(new)
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o755)
        url = attach_llama(home, chosen.adapter, digest)
        if cases:
            weigh = chosen.adapter == SHIPPED and not chosen.outright
            found = asyncio.run(ask_all(url, cases, names, weigh=weigh))
            report(found)
            if chosen.answers:
                write_answers(found, chosen.answers)
        if chosen.latency:
            asyncio.run(latency(url, tuned, list(strangers())[-10:]))
        if chosen.trained and chosen.pairs:
            asyncio.run(same_answers(url, tuned, chosen.trained, chosen.pairs))


if __name__ == "__main__":
    main()
