"""The model that is trained: read from a GGUF file or a folder, with what makes tokens of texts."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from models.errors import InputError
from worker.llm.embedded.chat import CHAT, rendered
from worker.llm.embedded.server import model_file
from worker.tune.pairs import Pair, Tokens


@dataclass(frozen=True, slots=True)
class Base:
    """A model and its tokenizer."""

    model: Any
    tokenizer: Any
    path: Path
    template: str | None
    """What puts messages together; None: the tokenizer's own."""

    def tokens(self, pair: Pair) -> Tokens:
        """A pair in ids: as a server reads the prompt, then the answer and the end of a turn."""
        prompt = self.prompt(pair)
        answer = self.tokenizer(pair.completion, add_special_tokens=False).input_ids
        return Tokens((*prompt, *answer, self.tokenizer.eos_token_id), len(prompt))

    def prompt(self, pair: Pair) -> list[int]:
        """The ids of a prompt, with the one mark of a beginning."""
        text = self.rendered(pair)
        ids: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        first = self.tokenizer.bos_token_id
        return ids if first is None or ids[:1] == [first] else [first, *ids]

    def rendered(self, pair: Pair) -> str:
        """A prompt as text."""
        if isinstance(pair.prompt, str):
            return pair.prompt
        messages = [dict(message) for message in pair.prompt]
        if self.template is not None:
            return rendered(messages, self.template)
        if not getattr(self.tokenizer, "chat_template", None):
            raise InputError(
                f"{self.path} has no chat template: give prompts as strings, not as messages"
            )
        text = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        return str(text)

    def digest(self) -> str:
        """SHA-256 of the model's file, or of all files of its folder, by their names."""
        if not self.path.is_dir():
            with self.path.open("rb") as read:
                return hashlib.file_digest(read, "sha256").hexdigest()
        whole = hashlib.sha256()
        for file in sorted(self.path.rglob("*")):
            if file.is_file():
                with file.open("rb") as read:
                    whole.update(hashlib.file_digest(read, "sha256").digest())
        return whole.hexdigest()


def load_base(path: Path | None, folder: Path) -> Base:
    """The model at a path; None: the embedded one, whose file is put together in `folder`.

    Whole numbers of a quantised file become floats again: they are what is served, so the adapter
    learns beside the very weights that it will stand beside. On a CPU they are 32 bits wide, since
    16 are slower there; on a GPU bfloat16.
    """
    embedded = path is None
    path = model_file(folder) if path is None else path
    if not path.exists():
        raise InputError(f"{path}: there is no such model; give a GGUF file or a model's folder")
    where, file = (path, {}) if path.is_dir() else (path.parent, {"gguf_file": path.name})
    gpu = torch.cuda.is_available()
    dtype = torch.bfloat16 if gpu else torch.float32
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(where), **file)
        model = AutoModelForCausalLM.from_pretrained(str(where), dtype=dtype, **file)
    except (OSError, ValueError, KeyError) as exc:
        raise InputError(f"{path} cannot be read as a model: {exc}") from exc
    model = model.to("cuda" if gpu else "cpu").eval()
    return Base(model, tokenizer, path, CHAT if embedded else None)
