"""Probe: what an engine does with a model, found out by asking it a few small questions.

Engines differ in what they silently ignore: by version, by model, by the template that a model came
with. Nobody's word is taken for it. `../ollama/engine.py` and its like say how a thing is asked.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from worker.llm.engine import (
    Completion,
    Concern,
    Engine,
    EngineError,
    Finish,
    Message,
    Request,
    Told,
    Trouble,
)

WORD = "heliotrope-42"
"""What nobody says of himself: who is made to by a grammar has one."""

GREETING = Message("user", f"This is a probe of {WORD.partition('-')[0]}s. Say hello.")
RULES = Message("system", "You are polite. " * 100)
FEWEST_RULES_TOKENS = 100
"""By so many tokens at least must a prompt be longer with RULES in it."""

SCHEMA = {
    "type": "object",
    "properties": {"word": {"type": "string", "enum": [WORD]}},
    "required": ["word"],
    "additionalProperties": False,
}
INSIDE = json.dumps({"word": WORD}, separators=(",", ":"))
"""The one answer that keeps to SCHEMA, without white space."""

MOST_TOKENS = 512
"""Room for the word, for white space that some grammars let a model write, and for a thought."""

SAMPLES = 3

DRAWN = Message("user", "Write ten words at random.")
DRAWN_TOKENS, SEED = 64, 7

EDITION = 2
"""To be raised where what is asked, or what is found, changes: then all is asked anew."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What an engine does with a model."""

    holds_schema: bool = True
    """None of its answers is outside of the schema that it is given."""
    think: bool | None = False
    """What to send for thinking, so that it holds a schema and answers: None, nothing."""
    reads_system: bool = True
    """A system message reaches the model."""
    reports_tokens: bool = True
    thinks_aloud: bool = False
    """Free answers hold its thinking, or nothing else."""
    cuts_prompts: bool | None = None
    """A prompt that is too long is shortened in silence; None: that is not known."""
    template: str = ""
    """What is put around the messages, where the engine tells."""
    context_tokens: int | None = None
    """The longest prompt with its answer, in tokens, where the engine tells."""
    images: bool | None = None
    """Whether it reads images, where the engine tells."""
    logprobs: bool | None = None
    """Whether it gives the probabilities of tokens; None: that is not known."""
    repeats_draws: bool | None = None
    """Whether the same seed brings the same draws; None: that is not known."""


@runtime_checkable
class Tells(Protocol):
    """An engine that tells of its models."""

    async def tell(self, model: str) -> Told:
        """What it tells of a model, at no cost. Raises EngineError."""
        ...


async def told(engine: Engine, model: str) -> Traits:
    """What an engine tells, without a prompt; the rest as it should be. Raises EngineError."""
    said = await engine.tell(model) if isinstance(engine, Tells) else Told()
    return Traits(template=said.template, context_tokens=said.context_tokens, images=said.images)


async def probe(engine: Engine, model: str, context_tokens: int, *, deep: bool = False) -> Traits:
    """Ask. `deep` also tries a prompt that is too long, which may take a while, and what workers
    make no use of.

    Raises EngineError where the engine does not answer at all.
    """
    said = await told(engine, model)
    window = min(context_tokens, said.context_tokens or context_tokens)
    plain = Request(model, (GREETING,), MOST_TOKENS, window)
    holds, think = await _holds_schema(engine, plain)
    plain = replace(plain, think=think)
    greeted = await engine.complete(plain)
    return replace(
        said,
        holds_schema=holds,
        think=think,
        reads_system=await _reads_system(engine, plain, greeted),
        reports_tokens=greeted.usage.input_tokens is not None,
        thinks_aloud=_thinks_aloud(greeted),
        cuts_prompts=await _cuts_prompts(engine, plain) if deep else None,
        logprobs=await _gives_logprobs(engine, plain) if deep else None,
        repeats_draws=await _repeats_draws(engine, plain) if deep else None,
    )


async def _holds_schema(engine: Engine, plain: Request) -> tuple[bool, bool | None]:
    """Whether it does, and with which word about thinking."""
    for think in (False, None):
        if await _always_holds(engine, replace(plain, schema=SCHEMA, think=think)):
            return True, think
    return False, False


async def _always_holds(engine: Engine, request: Request) -> bool:
    """Several times, for some lose the grammar now and then (ollama#14645: one call in three)."""
    for seed in range(SAMPLES):
        try:
            answer = await engine.complete(replace(request, temperature=0.8, seed=seed))
        except EngineError as error:
            if error.concern is not Concern.PROMPT:
                raise
            return False
        if not _is_inside(answer):
            return False
    return True


def _is_inside(answer: Completion) -> bool:
    """Whether an answer keeps to SCHEMA. One that was cut off does as far as it goes: white space
    between what counts is within every grammar, and some models write nothing else."""
    said = "".join(answer.text.split())
    if answer.finish in (Finish.LENGTH, Finish.LOOP):
        return said != "" and INSIDE.startswith(said)
    return said == INSIDE


async def _reads_system(engine: Engine, plain: Request, greeted: Completion) -> bool:
    """Told by the tokens that were read with rules and without; where they are not reported it is
    taken to."""
    ruled = await engine.complete(replace(plain, messages=(RULES, GREETING), max_tokens=1))
    counts = (ruled.usage.input_tokens, greeted.usage.input_tokens)
    if None in counts:
        return True
    with_rules, without = (count or 0 for count in counts)
    return with_rules - without >= FEWEST_RULES_TOKENS


def _thinks_aloud(greeted: Completion) -> bool:
    said = greeted.text.strip().casefold()
    return said.startswith("<think") or (not said and greeted.finish is not Finish.LENGTH)


async def _cuts_prompts(engine: Engine, plain: Request) -> bool | None:
    """An engine whose window is larger than it is told reads it all, and that is well."""
    long = Message("user", "hello " * (2 * plain.context_tokens))
    try:
        answer = await engine.complete(replace(plain, messages=(long,), max_tokens=1))
    except EngineError as error:
        return False if error.trouble is Trouble.CONTEXT_EXCEEDED else None
    read = answer.usage.input_tokens
    return None if read is None else read < 1.5 * plain.context_tokens


async def _gives_logprobs(engine: Engine, plain: Request) -> bool:
    asked = replace(plain, logprobs=True, max_tokens=DRAWN_TOKENS)
    try:
        return (await engine.complete(asked)).has_logprobs
    except EngineError as error:
        if error.concern is not Concern.PROMPT:
            raise
        return False


async def _repeats_draws(engine: Engine, plain: Request) -> bool:
    messages = (GREETING, Message("assistant", "Hello."), DRAWN)
    drawn = replace(plain, messages=messages, max_tokens=DRAWN_TOKENS, temperature=1.0, seed=SEED)
    first, second = await engine.complete(drawn), await engine.complete(drawn)
    return first.text == second.text


SAID: tuple[tuple[Callable[[Traits], bool], str, str], ...] = (
    (
        lambda t: t.holds_schema,
        "holds a schema",
        "keeps to no schema: it stands in the prompt, and answers are checked",
    ),
    (
        lambda t: t.reads_system,
        "reads the system message",
        "drops the system message: it is sent in the first user's words",
    ),
    (
        lambda t: t.reports_tokens,
        "reports tokens",
        "reports no tokens: whether it cut a prompt is not seen, so less of its window is used",
    ),
    (lambda t: not t.thinks_aloud, "answers at once", "thinks aloud: what comes after it counts"),
    (
        lambda t: not t.cuts_prompts,
        "refuses prompts that are too long",
        "cuts prompts that are too long in silence: keep context_tokens at its real window",
    ),
)
"""Each trait: whether all is well, and how it is said then and else."""


def said_of(traits: Traits) -> tuple[list[str], list[str]]:
    """What is well, and what is not, in words."""
    judged = [(well(traits), yes, no) for well, yes, no in SAID]
    return [yes for ok, yes, _ in judged if ok], [no for ok, _, no in judged if not ok]


def offered(traits: Traits) -> list[str]:
    """What it can do beside, in words: as far as that is known."""
    window = traits.context_tokens
    known = (
        (traits.logprobs, "gives log-probabilities", "no log-probabilities"),
        (traits.repeats_draws, "repeats its draws by seed", "seeds change nothing"),
        (traits.images, "reads images", "no images"),
    )
    said = [yes if can else no for can, yes, no in known if can is not None]
    return [f"a window of {window:,} tokens", *said] if window is not None else said
