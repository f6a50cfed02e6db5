import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from models.words import TaskType
from worker.prompts import prompt
from worker.tune.synthetic.__main__ import pairs
from worker.tune.synthetic.lot import Lot, table
from worker.tune.synthetic.mails import MAIN, SIDES, mail
from worker.tune.synthetic.papers import PAPERS

ROOT = Path(__file__).parents[3]
IN_A_ROW = 6
"""Words: fewer are in a row in any two texts of a trade."""
NAMED = SIDES.keys() - {"mood", "state"}
"""What each aim of a mail has words of its own for."""


@pytest.fixture(scope="module")
def made():
    return list(pairs(1500, seed=1))


def of_task(made, task):
    return [pair for pair in made if pair["prompt"][0]["content"] == prompt(task).system]


def asked(pair):
    return pair["prompt"][1]["content"]


def grams(text):
    words = re.findall(r"\w+", text.casefold())
    return {tuple(words[at : at + IN_A_ROW]) for at in range(len(words) - IN_A_ROW + 1)}


def strings(value):
    if isinstance(value, dict):
        return [one for each in value.values() for one in strings(each)]
    if isinstance(value, list):
        return [one for each in value for one in strings(each)]
    return [value] if isinstance(value, str) else []


def test_the_same_seed_makes_the_same_pairs():
    assert list(pairs(40, seed=3)) == list(pairs(40, seed=3)) != list(pairs(40, seed=4))


def test_a_prompt_is_the_rules_and_the_request_without_examples(made):
    for pair in made:
        assert [one["role"] for one in pair["prompt"]] == ["system", "user"]
        json.loads(pair["completion"])


def test_every_extracted_value_stands_in_its_text_and_a_quarter_of_fields_is_absent(made):
    values = []
    for pair in of_task(made, TaskType.EXTRACTION):
        text = " ".join(asked(pair).partition("\nText:\n")[2].split())
        answer = json.loads(pair["completion"])
        values += answer.values()
        rows = answer.get("facts", answer)
        said = [row["value"] for row in rows] if isinstance(rows, list) else strings(answer)
        assert [value for value in said if " ".join(value.split()) not in text] == []
    assert 0.22 < sum(value is None for value in values) / len(values) < 0.36


def test_every_label_is_one_of_those_on_offer(made):
    for pair in of_task(made, TaskType.CLASSIFICATION):
        (label,) = json.loads(pair["completion"]).values()
        request = asked(pair).partition("\nText:\n")[0]
        assert label.casefold() in request.replace('\\"', '"').casefold()


def test_each_aim_of_a_mail_has_a_plain_word_and_several_others(made):
    aims = table("mails")["aims"]
    words = Counter(
        label.casefold()
        for pair in of_task(made, TaskType.CLASSIFICATION)
        for label in json.loads(pair["completion"]).values()
    )
    for aim in MAIN:
        plain, *others = dict.fromkeys(aims[aim]["what"])
        assert plain == aim
        met = [word for word in others if words[word]]
        assert len(met) >= 6
        assert words[plain] > max(words[word] for word in met)


def test_no_word_names_two_aims_or_two_moods_of_mails():
    mails = table("mails")
    sides = [[set(aim[side]) for aim in mails["aims"].values()] for side in NAMED]
    for said in (*sides, [set(mood["words"]) for mood in mails["moods"].values()]):
        assert sum(map(len, said)) == len(set().union(*said))


def test_a_mail_has_two_to_five_labels_none_of_them_twice():
    for seed in range(300):
        words = [one.word for one in mail(Lot(seed)).labels]
        assert 2 <= len(set(words)) == len(words) <= 5


def test_the_right_label_stands_at_no_place_more_often_than_at_others(made):
    places = Counter()
    for pair in of_task(made, TaskType.CLASSIFICATION):
        form = re.search(r"Answer as: \{\"\w+\": (.+?)( \(|\}\n)", asked(pair))
        (label,) = json.loads(pair["completion"]).values()
        offered = form[1].split(" or ") if form else []
        if len(offered) == 3 and json.dumps(label, ensure_ascii=False) in offered:
            places[offered.index(json.dumps(label, ensure_ascii=False))] += 1
    assert min(places.values()) > 0.22 * sum(places.values())


def test_nothing_of_the_samples_or_of_the_benchmark_is_trained_on(made):
    kept = [path.read_text("utf-8") for path in (ROOT / "samples").rglob("*") if is_text(path)]
    mails = yaml.safe_load((ROOT / "benchmarks/strangers/mails.yaml").read_text("utf-8"))
    receipts = yaml.safe_load((ROOT / "benchmarks/strangers/receipts.yaml").read_text("utf-8"))
    kept += [mail["text"] for trade in trades(mails) for mail in trade["mails"]]
    kept += [one["text"] for one in receipts["receipts"]]
    known = {gram for text in kept for gram in grams(text)}
    for pair in made:
        assert grams(asked(pair).partition("\nText:\n")[2]) & known == set()


def trades(mails):
    return (*mails["trades"], *mails["unseen"])


def is_text(path):
    return path.suffix in {".txt", ".md", ".html", ".jsonl"} and path.name != "README.md"


def test_no_label_of_the_benchmark_is_one_of_the_training(made):
    mails = yaml.safe_load((ROOT / "benchmarks/strangers/mails.yaml").read_text("utf-8"))
    strange = {label for trade in trades(mails) for label in trade["labels"]}
    strange |= {label for ask in mails["renamed"] for label in ask["labels"].values()}
    known = {
        str(word) for sort in table("sorts") for one in sort["labels"] for word in one["words"]
    }
    known |= {str(kind) for kind in table("nouns")}
    mails = table("mails")
    known |= {word for one in mails["aims"].values() for side in NAMED for word in one[side]}
    known |= {word for one in mails["moods"].values() for word in one["words"]}
    assert strange & known == set()


def test_every_paper_holds_its_facts_word_for_word():
    for make in PAPERS:
        for seed in range(30):
            paper = make(Lot(seed))
            text = " ".join(paper.text.split())
            assert all(" ".join(fact.split()) in text for fact in paper.facts.values()), make
            assert paper.facts.keys() <= table("fields").keys()
