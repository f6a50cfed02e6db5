"""What a stub can be told: at its start, on its command line and while it runs."""

import argparse
import json
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass
class Knobs:
    """What all stubs have in common. Times in seconds."""

    latency: tuple[float, float] = (0.0, 0.0)
    """Shortest and longest time of an answer; drawn evenly, by the seed."""
    slots: int = 0
    """Requests worked on at once, the rest queue; 0 is no limit."""
    seed: int = 0
    models: list[str] = field(default_factory=lambda: ["m"])
    """Models on offer; empty offers every model."""
    usage: bool = True
    """Whether answers report their tokens."""
    faults: dict[str, float] = field(default_factory=dict)
    """Share of requests, 0 to 1, that meet a fault, by its name (see the stub's `faults`)."""
    outage: str = ""
    """`503` answers so, `page` shows a web page, `cut` drops connections, `refuse` closes the port,
    empty is none."""
    keep_texts: bool = False
    """Whether the log of prompts keeps their texts besides their hashes."""
    answers: dict[str, Any] = field(default_factory=dict)
    """What to answer where a prompt holds a text; otherwise answers are made up."""
    chars_per_token: int = 4
    context: int = 0
    """The longest prompt in tokens; 0 is no limit (the Ollama stub goes by num_ctx)."""
    batch_s: float = 0.0
    """Seconds that a batch spends in each of its states; 0 moves it on at each look at it."""
    batch_requests: int = 50_000
    """Requests that one batch may hold."""
    batch_bytes: int = 200_000_000


@dataclass
class OpenAIKnobs(Knobs):
    """What only the OpenAI stub knows."""

    api_key: str = ""
    """The key to insist on; empty takes any."""
    cost: str = ""
    """`usage.cost` of every answer in USD; empty reports none."""
    rate_headers: str = ""
    """`openai`, `anthropic` or none."""
    rpm: int = 0
    """Requests in any window of `window_s`; 0 is no limit."""
    tpm: int = 0
    """Tokens in any window, each request counted as its prompt + max_tokens when it arrives."""
    tpm_corrects: bool = False
    """Whether that count falls to the tokens really used once the answer is out."""
    window_s: float = 60.0
    no_schema_models: list[str] = field(default_factory=list)
    """Models that refuse response_format."""
    renamed_limit_models: list[str] = field(default_factory=list)
    """Models that refuse max_tokens and want max_completion_tokens."""
    no_temperature_models: list[str] = field(default_factory=list)
    timings: bool = False
    """Whether answers state llama-server's timings."""
    batch_api: str = "openai"
    """`openai` or `openrouter`."""
    keeps_metadata: bool = True
    """Whether batches come back with the metadata that they were given."""
    server: str = ""
    """`llama-server` and `vllm` tell of their models as those do; others do not."""
    window: int = 2048
    """What such a server says that its window is, in tokens."""
    template: str = "<|my_turn|>"
    """What such a server says that it puts around a message."""
    logprobs: bool = True
    """Whether log-probabilities are given to whoever asks for them."""


@dataclass
class AnthropicKnobs(Knobs):
    """What only the Anthropic stub knows."""

    api_key: str = ""
    """The key to insist on; empty takes any."""
    rate_headers: bool = False
    no_schema_models: list[str] = field(default_factory=list)
    """Models that know no structured output."""
    thinking_models: list[str] = field(default_factory=list)
    """Models that cannot be kept from thinking."""
    least_cached: int = 1024
    """The shortest part of a prompt that is cached, in tokens."""


@dataclass
class OllamaKnobs(Knobs):
    """What only the Ollama stub knows."""

    truncation: str = "reject"
    """Over num_ctx: `reject` or `reject_text` answer 400, `half` and `full` cut in silence."""
    load_delay: float = 0.0
    """Time to load a model; one loads at a time."""
    max_loaded: int = 3
    """Models held at once; the one used longest ago goes first."""
    drops_system: bool = False
    """The template of the model has no place for a system message."""
    ignores_format: bool = False
    """A schema is read and not kept to."""
    refuses_format: bool = False
    """No schema is taken."""
    needs_thinking: bool = False
    """A schema holds only where nothing is said of thinking (qwen3.5)."""
    template: str = ""
    context_length: int = 32768
    """The longest window of the model; num_ctx beyond it is clamped in silence."""
    vision: bool = False
    logprobs: bool = True
    """Whether log-probabilities are given to whoever asks for them."""
    ignores_seed: bool = False
    """Whether each draw is another one, whatever the seed."""
    deadly: str = ""
    """A prompt that holds it takes the server down, with every call in flight."""
    down_s: float = 0.2
    """For how long."""
    max_queue: int = 512
    """Requests that may wait for a load; more are answered 503."""


@dataclass
class BedrockKnobs(Knobs):
    """What only the Bedrock stub knows."""

    no_schema_models: list[str] = field(default_factory=list)
    """Models that refuse outputConfig."""
    no_temperature_models: list[str] = field(default_factory=list)
    no_system_models: list[str] = field(default_factory=list)
    """Models that refuse system prompts."""
    batch_least: int = 1
    """Requests that a batch has to hold; at AWS 100."""
    health: str = ""
    """The fault that the question for its health meets; empty is none."""


@dataclass
class ReplicateKnobs(Knobs):
    """What only the Replicate stub knows."""

    api_key: str = ""
    """The key to insist on; empty takes any."""
    cold_start: float = 0.0
    """Time in `starting` before a prediction runs."""
    takes: list[str] = field(
        default_factory=lambda: ["prompt", "system_prompt", "max_tokens", "temperature"]
    )
    """The inputs of every model."""
    least_temperature: float = 0.0
    holds: bool = True
    """Whether a reply is held for the answer when asked to."""
    strict: bool = False
    """Whether an input that a model does not know is refused; else it is dropped."""
    output: str = "list"
    """`list` of pieces, one `string`, or an `object`."""
    predict_time: float = 0.5
    """What the metrics of every prediction that ran state, in seconds; below 0 states none."""


def change(knobs: Knobs, changes: dict[str, Any]) -> None:
    """Set knobs by name, from JSON values. Raises KeyError for a name that is none."""
    known = {f.name for f in fields(knobs)}
    for name, value in changes.items():
        if name not in known:
            raise KeyError(f"no knob {name!r}, there are {sorted(known)}")
        setattr(knobs, name, _latency(value) if name == "latency" else value)


def from_command_line(knobs: Knobs, argv: list[str] | None = None) -> int:
    """Set knobs from `--name value` and return the port. Lists are comma-separated."""
    parser = argparse.ArgumentParser(description=type(knobs).__doc__)
    parser.add_argument("--port", type=int, default=0)
    for f in fields(knobs):
        parser.add_argument("--" + f.name.replace("_", "-"), metavar="VALUE")
    given = {k: v for k, v in vars(parser.parse_args(argv)).items() if v is not None}
    port = given.pop("port")
    change(knobs, {name: _parsed(getattr(knobs, name), text) for name, text in given.items()})
    return int(port)


def _parsed(now: Any, text: str) -> Any:
    """`text` in the type of the knob's value so far: 0.1:0.5, a,b, {"429": 0.1}, true."""
    if isinstance(now, tuple):
        return [float(part) for part in text.split(":")]
    if isinstance(now, list):
        return [part for part in text.split(",") if part]
    if isinstance(now, str):
        return text
    return type(now)(json.loads(text))


def _latency(value: Any) -> tuple[float, float]:
    low, *high = value if isinstance(value, list | tuple) else [value]
    return float(low), float(high[0] if high else low)
