"""Train an adapter: the loss of answers alone, batch after batch, on a GPU or on a CPU.

The head over a vocabulary of 262,144 words costs more than all the rest of a small model; it is
run at the places where an answer is learned, not over the prompt.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from models.errors import InputError
from worker.tune.batches import batches
from worker.tune.learn.lora import attach, load, weights
from worker.tune.learn.model import Base, load_base
from worker.tune.learn.read import read_gguf
from worker.tune.learn.write import write_folder, write_gguf
from worker.tune.options import Options, Trained
from worker.tune.pairs import Tokens, read_pairs, usable
from worker.tune.schedule import progress, rate

KEPT_APART, MOST_KEPT_APART = 0.03, 64
"""Share and number of pairs that are not learned from; their loss says whether it is learning."""
CLIP = 1.0
SAY_EVERY = 10
"""Batches between two lines of progress."""

FREE = {"steps", "minutes", "save_every_s", "threads", "base", "adapter"}
"""Options that may change when a training goes on."""

Say = Callable[[str], None]


@dataclass(slots=True)
class _State:
    """How far a training is."""

    step: int = 0
    examples: int = 0
    seconds: float = 0.0
    first_loss: float | None = None


def learn(pairs: Path, out: Path, options: Options, say: Say) -> Trained:
    """As `train` of ../train.py says."""
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    found = read_pairs(pairs)
    out.mkdir(parents=True, exist_ok=True)
    say(f"{len(found)} pairs; reading the model")
    base = load_base(options.base, out)
    rows = usable([base.tokens(pair) for pair in found], options.longest)
    training = _Training(base, rows, out, options, _digest(pairs), say)
    return training.result(training.run(), len(found))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class _Training:
    def __init__(
        self,
        base: Base,
        rows: Sequence[Tokens],
        out: Path,
        options: Options,
        digest: str,
        say: Say,
    ) -> None:
        self.base, self.out, self.options, self.digest, self.say = base, out, options, digest, say
        apart = min(MOST_KEPT_APART, int(KEPT_APART * len(rows)))
        self.held, self.rows = rows[:apart], rows[apart:]
        self.steps = options.steps
        if options.steps is None and options.minutes is None:
            self.steps = -(-len(self.rows) // options.batch)
        self.loras = attach(base.model, options.rank, options.alpha, options.seed)
        self.began_with: str | None = None
        if options.adapter is not None:
            kept = read_gguf(options.adapter, list(self.loras), options.rank, options.alpha)
            load(self.loras, {name: torch.from_numpy(matrix) for name, matrix in kept.items()})
            self.began_with = _digest(options.adapter)
        learned = [tensor for lora in self.loras.values() for tensor in (lora.a, lora.b)]
        self.optimizer = torch.optim.AdamW(learned, lr=options.learning_rate, weight_decay=0.0)
        self.learned = learned
        self.state = _State()

    def run(self) -> _State:
        """Learn until steps or minutes are over, from where a checkpoint left off."""
        self._resume()
        state, options = self.state, self.options
        if state.first_loss is None:
            state.first_loss = self.held_loss()
        lengths = [len(row.ids) for row in self.rows]
        order = batches(lengths, options.batch, options.seed, state.step)
        began, saved, losses = time.monotonic() - state.seconds, time.monotonic(), list[float]()
        while (done := self._done()) < 1:
            losses.append(self._learn([self.rows[at] for at in next(order)], rate(done)))
            state.step += 1
            state.seconds = time.monotonic() - began
            if state.step % SAY_EVERY == 0:
                self._say_progress(losses[-SAY_EVERY:])
            if time.monotonic() - saved > options.save_every_s:
                self._save()
                saved = time.monotonic()
        self._save()
        return state

    def _done(self) -> float:
        return progress(self.state.step, self.steps, self.state.seconds / 60, self.options.minutes)

    def _learn(self, rows: Sequence[Tokens], share: float) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.learning_rate * share
        loss = answer_loss(self.base.model, rows)
        loss.backward()  # type: ignore[no-untyped-call,unused-ignore]
        torch.nn.utils.clip_grad_norm_(self.learned, CLIP)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.state.examples += len(rows)
        return float(loss.detach())

    def held_loss(self) -> float:
        """Of the pairs kept apart; nan where there are too few to keep any."""
        size = self.options.batch
        ordered = sorted(self.held, key=lambda row: len(row.ids))
        with torch.no_grad():
            said = [
                (float(answer_loss(self.base.model, rows)), len(rows))
                for at in range(0, len(ordered), size)
                for rows in [ordered[at : at + size]]
            ]
        total = sum(count for _, count in said)
        return sum(loss * count for loss, count in said) / total if total else float("nan")

    def _say_progress(self, losses: Sequence[float]) -> None:
        state, done = self.state, self._done()
        left = state.seconds * (1 - done) / done / 60 if done else float("nan")
        self.say(
            f"{100 * done:3.0f} %  batch {state.step}  {state.examples} examples  "
            f"loss {sum(losses) / len(losses):.3f}  {state.seconds / 60:.1f} min, {left:.0f} left"
        )

    def _identity(self) -> dict[str, Any]:
        """What a checkpoint belongs to: how long it lasts may change, what it is may not."""
        told = asdict(self.options)
        return {"pairs": self.digest, "began_with": self.began_with} | {
            name: told[name] for name in told.keys() - FREE
        }

    def _save(self) -> None:
        path, draft = self.out / "checkpoint.pt", self.out / "checkpoint.new"
        kept = {
            "identity": self._identity(),
            "state": asdict(self.state),
            "weights": weights(self.loras),
            "optimizer": self.optimizer.state_dict(),
        }
        torch.save(kept, draft)
        draft.replace(path)
        self._write()

    def _resume(self) -> None:
        path = self.out / "checkpoint.pt"
        if not path.exists():
            return
        kept = torch.load(path, weights_only=True)
        if kept["identity"] != self._identity():
            raise InputError(
                f"{path} belongs to a training with other pairs or options; give another folder"
            )
        load(self.loras, kept["weights"])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.state = _State(**kept["state"])
        self.say(f"going on from batch {self.state.step}")

    def _write(self) -> None:
        """The adapter as it is by now: a training that is cut leaves one."""
        options = self.options
        plain = {name: tensor.numpy() for name, tensor in weights(self.loras).items()}
        kind = self.base.model.config.model_type
        title = f"adapter of {self.base.path.name}"
        write_folder(self.out / "peft", plain, options.rank, options.alpha, str(self.base.path))
        write_gguf(self.out / "adapter.gguf", plain, kind, options.alpha, title)

    def result(self, state: _State, given: int) -> Trained:
        """What came of it, which training.json holds too."""
        trained = Trained(
            gguf=self.out / "adapter.gguf",
            folder=self.out / "peft",
            base=self.base.path.name,
            base_sha256=self.base.digest(),
            began_with=self.began_with,
            pairs=given,
            pairs_sha256=self.digest,
            left_out=given - len(self.rows) - len(self.held),
            steps=state.step,
            examples=state.examples,
            minutes=round(state.seconds / 60, 1),
            first_loss=state.first_loss or 0.0,
            last_loss=self.held_loss(),
        )
        said = {**asdict(trained), "options": asdict(self.options)}
        (self.out / "training.json").write_text(json.dumps(said, indent=1, default=str), "utf-8")
        return trained


def answer_loss(model: Any, rows: Sequence[Tokens]) -> torch.Tensor:
    """The mean loss of the answers' tokens, in nats. A short answer counts for more than its length
    and less than a whole answer would: an example's tokens weigh by one over the root of their
    number, or a label of three tokens would drown beside four fields.

    Rows are padded at their ends, where nothing before can see it: so no mask is needed.
    """
    longest = max(len(row.ids) for row in rows)
    device = model.device
    ids = torch.tensor([[*row.ids, *[0] * (longest - len(row.ids))] for row in rows], device=device)
    hidden = model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
    places = [(at, t) for at, row in enumerate(rows) for t in range(row.prompt, len(row.ids))]
    row_of, place = (torch.tensor(each, device=device) for each in zip(*places, strict=True))
    logits = model.get_output_embeddings()(hidden[row_of, place - 1]).float()
    if (cap := getattr(model.config, "final_logit_softcapping", None)) is not None:
        logits = cap * torch.tanh(logits / cap)
    weight = torch.tensor([rows[at].answer ** -0.5 for at, _ in places], device=device)
    losses = torch.nn.functional.cross_entropy(logits, ids[row_of, place], reduction="none")
    return (losses * weight).sum() / weight.sum()
