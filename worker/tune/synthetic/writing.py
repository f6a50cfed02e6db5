"""Texts to be summed up, notes that ask for code, questions of why, requests to be told apart."""

from collections.abc import Sequence

from models.words import TaskType
from worker.classify.asks import Example, own_asks
from worker.prompts import CLASSIFY_SCHEMA, classify_messages
from worker.prompts.files import prompt
from worker.tune.synthetic.lot import Lot, table
from worker.tune.synthetic.task import Task

SUMMARY_ASKS = (
    "Sum up the text.", "Summarise this in one or two sentences.", "What are the main points?",
    "Give a short summary.", "Say briefly what it is about.", "Summary, please.",
    "Write a brief overview for somebody in a hurry.", "संक्षेप में बताइए।", "सार लिखिए।",
)  # fmt: skip


TOLD = ("n", "m", "money", "date", "name", "city", "street", "firm", "month", "day")
"""What one story says the same of throughout."""


def summary(lot: Lot) -> Task:
    """A text of a few facts with padding, and a summary that keeps the facts."""
    story = lot.choice(table("writing")["stories"])
    given = {name: lot.word(name) for name in TOLD}
    core = [(lot.text(one["long"], given), lot.text(one["short"], given)) for one in story]
    padding = lot.some(PADDING, 1, 3) if not _is_hindi(core[0][0]) else []
    lines = [long for long, _ in core]
    for line in padding:
        lines.insert(lot.randint(1, len(lines)), lot.text(line, given))
    text = lot.choice((" ", "\n", "\n\n")).join(lines)
    schema = prompt("summary").schema or {}
    said = " ".join(short for _, short in core)
    return Task(TaskType.SUMMARY, lot.choice(SUMMARY_ASKS), schema, text, {"summary": said})


PADDING = (
    "The matter had been on the list for some time.", "Further details will follow.",
    "Those present thanked {name} for the work.", "There were no other comments.",
    "Copies can be had at the office in {street}.", "The weather was fine that day.",
    "Photographs are on the notice board.", "This had been asked for by many.",
)  # fmt: skip


def _is_hindi(text: str) -> bool:
    return any("\u0900" <= char <= "\u097f" for char in text)


CODE_ASKS = (
    "Write the function.", "Write the Python function that is asked for.",
    "Implement this in Python.",
    "Code, please.", "Turn this note into a Python function.", "Program what the text describes.",
)  # fmt: skip
CODE_HEADS = (
    "{say}", "We need a function {name}. {say}", "# Request\n\n{say} Call it `{name}`.",
    "Please write `{name}`: {say}", "Note to the developers: {say} Name: {name}. No imports.",
)  # fmt: skip


def code(lot: Lot) -> Task:
    """A note that asks for a small function, and the function."""
    one = lot.choice(table("writing")["functions"])
    name = lot.choice(one["names"])
    say = lot.text(one["say"])
    text = lot.choice(CODE_HEADS).format(say=say, name=name)
    if name not in text:
        text += f" The name is {name}."
    answer = {"code": one["code"].replace("NAME", name).strip()}
    schema = prompt("simple_code").schema or {}
    return Task(TaskType.SIMPLE_CODE, lot.choice(CODE_ASKS), schema, text, answer)


ARGUED = ["n", "m", "money", "date", "name", "city", "thing", "things", "firm", "day", "month"]
"""What one question of why says the same of throughout."""


def why(lot: Lot) -> Task:
    """A rule and a case, or a cause and what came of it."""
    one = lot.choice(table("writing")["reasons"])
    given = {name: lot.word(name) for name in ARGUED}
    lines = [lot.text(line, given) for line in one["text"]]
    answer = {key: lot.text(one[key], given) for key in ("reasoning", "conclusion")}
    ask = lot.text(lot.choice(one["asks"]), given)
    return Task(TaskType.REASONING, ask, prompt("reasoning").schema or {}, " ".join(lines), answer)


class Request(Task):
    """A request whose task type is to be found."""

    def pair(self) -> dict[str, object]:
        """As classify_messages asks it, without its examples."""
        system, *_, asked = classify_messages(self.ask)
        said = [{"role": one.role, "content": one.content} for one in (system, asked)]
        return {"prompt": said, "completion": f'{{"task": "{self.task}"}}'}


def request(lot: Lot, asks: Sequence[Example]) -> Task:
    """One of the asks that the shipped classifier learns from."""
    one = lot.choice(asks)
    return Request(one.task, one.ask, CLASSIFY_SCHEMA, "", {"task": str(one.task)})


def requests(seed: int) -> list[Example]:
    """Asks of all task types."""
    return own_asks(seed, of_each=200)
