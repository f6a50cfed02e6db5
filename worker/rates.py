"""What a model makes of a text: tokens per unit of each script (tokens.py), learnt from the prompt
tokens that engines report. Pure.

Vocabularies differ by six times on one script: Llama 3 takes 3.0 tokens where Gemma 3 takes 0.75
(both of Telugu). Until a model has said so itself it is taken for one of the dear ones.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import sqrt

from worker.tokens import Script, measure, priced


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens per unit: what is known of it, and how well."""

    mean: float
    sd: float
    cut: float
    """What texts are cut by. It stays as long as it is safe and not far too dear, so that the same
    text is cut in the same places and its answers are found again."""

    @property
    def safe(self) -> float:
        """Rarely too low: for a text that is as dear as texts of this script are, and where the
        mean is worse than it seems."""
        return self.mean * (1 + NOISE) + 2 * self.sd

    def learnt(self, mean: float, sd: float) -> "Rate":
        """The same, known better."""
        rate = Rate(mean, sd, self.cut)
        if FULL * self.cut <= rate.safe <= self.cut:
            return rate
        return Rate(mean, sd, rate.safe)


def guessed(mean: float, sd: float) -> Rate:
    """A rate of which nothing was learnt yet."""
    return Rate(mean, sd, Rate(mean, sd, 0.0).safe)


NOISE = 0.06
"""How far texts of one script differ from each other, as a share: prose, names, tables."""
SURE = 0.015
"""A rate is never known better than so, as a share of it: what comes next may differ."""
LEAST, MOST = 0.05, 8.0
FULL = 0.9
"""Texts are cut anew by a rate of which less than so much is needed."""
FAR_OFF, STRANGE = 3.0, 3
"""So many prompts in a row that are so many deviations from what was expected are those of another
model that has got this name."""
BELIEVED = (0.2, 8.0)
"""Tokens per unit of a whole prompt; what is outside counts something else."""
TURN_TOKENS = 5
"""What chat templates put around a message."""
OVER = 1.2
"""What a prompt that was too long is taken to have had, of what there was room for."""

SETTLED, SAMPLE = 64, 16
"""After so many prompts of a model one in SAMPLE is looked at: the rates hardly move then."""

_DEAR = (1.5, 0.86)
_UNKNOWN: Mapping[Script, tuple[float, float]] = {
    Script.LATIN: (0.7, 0.129),
    Script.FIGURES: (0.9, 0.1),
    Script.CYRILLIC: (0.8, 0.15),
    Script.ARABIC: (0.8, 0.25),
    Script.DEVANAGARI: (0.7, 0.15),
    Script.THAI: (0.8, 0.4),
    Script.KANA: (0.8, 0.15),
    Script.HAN: (0.8, 0.15),
    Script.HANGUL: (0.8, 0.15),
    Script.SIGNS: (1.0, 0.3),
}
"""Of a model that nobody knows: mean and deviation, such that the dearest of the vocabularies that
were measured is within it. Scripts that are not named here are dear in some."""

_MEASURED: tuple[tuple[str, Mapping[Script, float]], ...] = (
    (
        r"gemma",
        {
            Script.LATIN: 0.61,
            Script.FIGURES: 0.98,
            Script.DEVANAGARI: 0.42,
            Script.BENGALI: 0.41,
            Script.GUJARATI: 0.65,
            Script.TAMIL: 0.41,
            Script.TELUGU: 0.74,
            Script.KANNADA: 0.67,
            Script.MALAYALAM: 0.47,
        },
    ),
    (
        r"gpt-?(4o|4\.1|5|oss)|\bo[134]\b",
        {
            Script.LATIN: 0.64,
            Script.FIGURES: 0.84,
            Script.DEVANAGARI: 0.54,
            Script.BENGALI: 0.64,
            Script.GUJARATI: 0.59,
            Script.TAMIL: 0.57,
            Script.TELUGU: 0.8,
            Script.KANNADA: 0.67,
            Script.MALAYALAM: 0.53,
        },
    ),
    (
        r"nemo|mistral-small|ministral",
        {
            Script.LATIN: 0.61,
            Script.FIGURES: 1.12,
            Script.DEVANAGARI: 0.64,
            Script.BENGALI: 0.71,
            Script.GUJARATI: 1.09,
            Script.TAMIL: 0.66,
            Script.TELUGU: 0.87,
            Script.KANNADA: 0.78,
            Script.MALAYALAM: 0.81,
        },
    ),
    (
        r"llama-?3",
        {
            Script.LATIN: 0.64,
            Script.FIGURES: 0.85,
            Script.DEVANAGARI: 0.98,
            Script.BENGALI: 2.3,
            Script.GUJARATI: 3.27,
            Script.TAMIL: 2.53,
            Script.TELUGU: 3.3,
            Script.KANNADA: 3.3,
            Script.MALAYALAM: 2.95,
        },
    ),
)
"""What vocabularies take, by what models that have them are called: Gemma 3, o200k, Tekken and
Llama 3, counted with their tokenizers (python -m benchmarks.tokens). A name is a hint: it is where
learning begins."""
_TOLD = 0.05
"""How well, as a share."""


def _unknown(script: Script) -> Rate:
    return guessed(*_UNKNOWN.get(script, _DEAR))


def first_rates(model: str) -> dict[Script, Rate]:
    """What is known of a model before it was asked."""
    rates = {script: _unknown(script) for script in Script}
    for name, means in _MEASURED:
        if re.search(name, model, re.IGNORECASE):
            return rates | {s: guessed(mean, _TOLD * mean) for s, mean in means.items()}
    return rates


@dataclass(slots=True)
class Rates:
    """What is known of one model."""

    of: dict[Script, Rate]
    changed: set[Script] = field(default_factory=set)
    """What was learnt since it was last written down."""
    prompts: int = 0
    """That it was told of."""
    strange: int = 0
    """Prompts in a row that were far off."""
    safe: Mapping[Script, float] = field(init=False)
    cut: Mapping[Script, float] = field(init=False)
    """What `tokens.estimate` counts by: prompts, and texts that are to be cut."""

    def __post_init__(self) -> None:
        self._price()

    def _price(self) -> None:
        self.safe = {script: rate.safe for script, rate in self.of.items()}
        self.cut = {script: rate.cut for script, rate in self.of.items()}

    def learn(self, units: Mapping[Script, float], tokens: float) -> None:
        """A prompt of so many units was so many tokens. One that is far off counts for less;
        several in a row say that what is known is of another model."""
        least, most = BELIEVED
        whole = sum(units.values())
        if not least * whole <= tokens <= most * whole:
            return
        expected, spread = self._expected(units)
        furthest = FAR_OFF * sqrt(spread)
        is_strange = abs(tokens - expected) > furthest
        self.strange = self.strange + 1 if is_strange else 0
        if self.strange == STRANGE:
            self.strange = 0
            self.of |= {script: _unknown(script) for script in units}
        elif is_strange:
            tokens = min(max(tokens, expected - furthest), expected + furthest)
        self._move(units, tokens)

    def too_long(self, units: Mapping[Script, float], room: int) -> None:
        """An engine found a prompt too long for a window that had `room` tokens for it."""
        if priced(units, self.safe) < OVER * room <= BELIEVED[1] * sum(units.values()):
            self._move(units, OVER * room)

    def _expected(self, units: Mapping[Script, float]) -> tuple[float, float]:
        """Tokens of a prompt, and their variance."""
        tokens = sum(n * self.of[script].mean for script, n in units.items())
        known = sum((n * self.of[script].sd) ** 2 for script, n in units.items())
        return tokens, known + (NOISE * tokens) ** 2

    def _move(self, units: Mapping[Script, float], tokens: float) -> None:
        """Each script's rate moves as far as it may be what was wrong: a Kalman filter whose
        scripts know nothing of each other."""
        expected, spread = self._expected(units)
        for script, n in units.items():
            rate = self.of[script]
            gain = rate.sd**2 * n / spread
            mean = min(max(rate.mean + gain * (tokens - expected), LEAST), MOST)
            sd = max(rate.sd * sqrt(max(1 - gain * n, 0.0)), SURE * mean)
            self.of[script] = rate.learnt(mean, sd)
        self.changed |= units.keys()
        self._price()

    def told(self, stored: Mapping[Script, Rate]) -> dict[Script, Rate]:
        """Take over what others have written down, and return what they are to be told: what was
        learnt here counts where it is known about as well."""
        news = dict[Script, Rate]()
        for script in self.changed:
            if script not in stored or self.of[script].sd <= 1.5 * stored[script].sd:
                news[script] = self.of[script]
        self.of.update({script: rate for script, rate in stored.items() if script not in news})
        self.changed.clear()
        self._price()
        return news


class RateBook:
    """The rates of every model that this process has to do with."""

    def __init__(self) -> None:
        self._models: dict[str, Rates] = {}

    def of(self, model: str) -> Rates:
        """Those of a model; of one that nobody has asked yet they are safe guesses."""
        if model not in self._models:
            self._models[model] = Rates(first_rates(model))
        return self._models[model]

    @property
    def models(self) -> Mapping[str, Rates]:
        """All that were asked for."""
        return self._models

    def learn(self, model: str, texts: Iterable[str], tokens: int | None) -> None:
        """A prompt of these messages was so many tokens, as its engine reported; None: it did
        not."""
        if tokens is None:
            return
        rates = self.of(model)
        rates.prompts += 1
        if rates.prompts <= SETTLED or rates.prompts % SAMPLE == 0:
            said = list(texts)
            rates.learn(units_of(said), tokens - TURN_TOKENS * len(said))

    def too_long(self, model: str, texts: Iterable[str], room: int) -> None:
        """A prompt of these messages did not fit into a window with this room."""
        self.of(model).too_long(units_of(texts), room)

    def cut(self, models: Iterable[str]) -> Mapping[Script, float]:
        """What a text is cut by that all of these are asked about."""
        priced = [self.of(model).cut for model in models]
        return {script: max((one[script] for one in priced), default=1.0) for script in Script}


def units_of(texts: Iterable[str]) -> dict[Script, float]:
    """The units of a prompt."""
    found = dict[Script, float]()
    for text in texts:
        for script, units in _measured(text).items():
            found[script] = found.get(script, 0.0) + units
    return found


_measured = lru_cache(maxsize=64)(measure)
"""What stands before the text is the same in most prompts."""
