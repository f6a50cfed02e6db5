import asyncio
import itertools
from collections.abc import Iterator
from typing import get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.config import BuiltIn, PinConfig
from worker.ingest import private
from worker.ingest.chunk import Piece, chunk
from worker.ingest.private import Pins, luhn, verhoeff
from worker.read.kinds import Text

ALL = get_args(BuiltIn)
NBSP = "\N{NO-BREAK SPACE}"
DEVANAGARI = str.maketrans("0123456789", "०१२३४५६७८९")
FULL_WIDTH = {code: code + 0xFEE0 for code in range(ord("!"), ord("~") + 1)}


def pieces(*texts: str, gap: int = 1) -> list[Piece]:
    starts = itertools.accumulate((len(text) + gap for text in texts), initial=0)
    return [
        Piece(ordinal, start, start + len(text), 1, 1, text, 1)
        for ordinal, (start, text) in enumerate(zip(starts, texts, strict=False), 1)
    ]


def reasons(*texts: str, gap: int = 1, names: tuple[BuiltIn, ...] = ALL) -> list[str | None]:
    return Pins(PinConfig(patterns=names)).reasons(pieces(*texts, gap=gap))


def reason(text: str, name: BuiltIn) -> str | None:
    return reasons(text, names=(name,))[0]


def own(pattern: str, *texts: str) -> list[str | None]:
    return Pins(PinConfig(own={"matter number": pattern})).reasons(pieces(*texts))


# Verhoeff's scheme without a table: the digits are the ten symmetries of a pentagon, and those
# from 5 on turn it over. Corners of the pentagon count from 0 to 4.


def moved_corner(symmetry: int, corner: int) -> int:
    return (symmetry + corner) % 5 if symmetry < 5 else (symmetry - corner) % 5


def composed(left: int, right: int) -> int:
    corners = [moved_corner(left, moved_corner(right, corner)) for corner in range(5)]
    return next(
        symmetry
        for symmetry in range(10)
        if [moved_corner(symmetry, corner) for corner in range(5)] == corners
    )


CYCLES = {1: 5, 5: 8, 8: 9, 9: 4, 4: 2, 2: 7, 7: 0, 0: 1, 3: 6, 6: 3}


def checks_by_the_pentagon(digits: list[int]) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        for _ in range(place):
            digit = CYCLES[digit]
        total = composed(total, digit)
    return total == 0


def checks_by_the_sum(digits: list[int]) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if place % 2 else digit
        total += doubled if doubled < 10 else doubled - 9
    return total % 10 == 0


DIGITS = st.lists(st.integers(0, 9), min_size=1, max_size=20)


@st.composite
def aadhaar_numbers(draw: st.DrawFn) -> str:
    stem = [draw(st.integers(2, 9)), *draw(st.lists(st.integers(0, 9), min_size=10, max_size=10))]
    check = next(digit for digit in range(10) if checks_by_the_pentagon([*stem, digit]))
    return "".join(map(str, [*stem, check]))


@st.composite
def card_numbers(draw: st.DrawFn, size: int | None = None) -> str:
    first = draw(st.sampled_from([[2, 2], [2, 7], [3, 4], [4, 0], [4, 9], [5, 1], [6, 5]]))
    size = size or draw(st.integers(13, 19))
    rest = draw(st.lists(st.integers(0, 9), min_size=size - 3, max_size=size - 3))
    stem = first + rest
    check = next(digit for digit in range(10) if checks_by_the_sum([*stem, digit]))
    return "".join(map(str, [*stem, check]))


def with_other_digits(number: str) -> Iterator[str]:
    for place, digit in enumerate(number):
        for other in "0123456789".replace(digit, ""):
            yield number[:place] + other + number[place + 1 :]


def with_swaps(number: str) -> Iterator[str]:
    for place, (left, right) in enumerate(itertools.pairwise(number)):
        if left != right:
            yield number[:place] + right + left + number[place + 2 :]


def values(number: str) -> list[int]:
    return [int(digit) for digit in number]


def grouped(number: str, *sizes: int, gap: str = " ") -> str:
    digits = iter(number)
    return gap.join("".join(itertools.islice(digits, size)) for size in sizes)


def aadhaar(stem: str) -> str:
    return next(
        stem + check for check in "0123456789" if checks_by_the_pentagon(values(stem + check))
    )


def card(stem: str) -> str:
    return next(stem + check for check in "0123456789" if checks_by_the_sum(values(stem + check)))


AADHAAR = aadhaar("23456789012")
LONG_CARD = card("630412345678901234")


def test_checksums_agree_with_published_examples():
    assert verhoeff(values("2363"))
    assert verhoeff(values("999941057058"))
    assert luhn(values("79927398713"))


@given(DIGITS)
def test_the_verhoeff_tables_are_the_symmetries_of_the_pentagon(digits):
    assert verhoeff(digits) is checks_by_the_pentagon(digits)


@given(DIGITS)
def test_luhn_is_the_sum_of_digits_with_every_second_one_doubled(digits):
    assert luhn(digits) is checks_by_the_sum(digits)


@given(aadhaar_numbers())
def test_no_wrong_digit_and_no_swap_of_neighbours_passes_for_an_aadhaar_number(number):
    assert reason(number, "aadhaar") == "aadhaar"
    wrong = [*with_other_digits(number), *with_swaps(number)]
    assert [other for other in wrong if verhoeff(values(other))] == []
    assert set(reasons(*wrong, names=("aadhaar",), gap=9)) == {None}


@given(card_numbers())
def test_no_wrong_digit_passes_for_a_card(number):
    assume(len(set(number)) > 1)
    assert reason(number, "card") == "card"
    wrong = [*with_other_digits(number)]
    assert [other for other in wrong if luhn(values(other))] == []
    assert set(reasons(*wrong, names=("card",), gap=9)) == {None}


FOUND: list[tuple[BuiltIn, str]] = [
    ("pan", "ABCPE1234F"),
    ("pan", "abcpe1234f"),
    ("pan", "ABCPE1234F".translate(FULL_WIDTH)),
    ("pan", "ABCPE" + "1234".translate(DEVANAGARI) + "F"),
    *(("pan", f"ABC{holder}E1234F") for holder in "PCHABGJLFT"),
    ("aadhaar", AADHAAR),
    ("aadhaar", "9999 4105 7058"),
    *(("aadhaar", grouped(AADHAAR, 4, 4, 4, gap=gap)) for gap in " -\t\n‑–\u2009\u3000\u200b"),
    *(("aadhaar", grouped(AADHAAR, 4, 4, 4, gap=gap)) for gap in (NBSP, " - ", "  ", "-\n", " \n")),
    ("aadhaar", grouped(AADHAAR, 4, 8)),
    ("aadhaar", grouped(AADHAAR, 4, 4, 4).translate(DEVANAGARI)),
    ("aadhaar", AADHAAR.translate(FULL_WIDTH)),
    ("aadhaar", AADHAAR.translate(str.maketrans("0123456789", "௦௧௨௩௪௫௬௭௮௯"))),
    ("aadhaar", "1990 " + grouped(AADHAAR, 4, 4, 4) + " 2024"),
    ("aadhaar", "1." + grouped(AADHAAR, 4, 4, 4)),
    ("ifsc", "SBIN0001234"),
    ("ifsc", "sbin0001234"),
    ("ifsc", "Hdfc0000001"),
    ("ifsc", "YESB0TSS001"),
    ("ifsc", "HDFC0CAACOB"),
    ("card", "4111111111111111"),
    ("card", "4111 1111 1111 1111"),
    ("card", "4111-1111-1111-1111"),
    ("card", f"4111{NBSP}1111{NBSP}1111{NBSP}1111"),
    ("card", "4111 1111 1111 1111".translate(DEVANAGARI)),
    ("card", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"),
    ("card", "4-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1 12/27"),
    ("card", "4111 1111 1111 1111 12/27"),
    ("card", "4111 1111 1111 1111 123"),
    ("card", "1 4111 1111 1111 1111"),
    ("card", "41111111 11111111"),
    ("card", "411111 1111111111"),
    ("card", "5555555555554444"),
    ("card", "2223003122003222"),
    ("card", "378282246310005"),
    ("card", "3782 822463 10005"),
    ("card", "3056 930902 5904"),
    ("card", "4222222222222"),
    ("card", "4222 2222 2222 2"),
    ("card", grouped(LONG_CARD, 4, 4, 4, 4, 3)),
    ("card", grouped(LONG_CARD, 6, 13)),
    ("email", "a@b.in"),
    ("email", "first.last+tag@mail.example.co.in"),
    ("email", "O'Neil_1%x@example.com"),
    ("email", "<a@b.in>;"),
    ("email", "mailto:a@b.in?subject=x"),
    ("email", "a@b.in."),
    ("email", "a@b-c.museum"),
    ("email", "a@xn--p1b6ci4b4b3a.xn--h2brj9c"),
    ("email", "संपर्क@उदाहरण.भारत"),
    ("email", "a@b.in".translate(FULL_WIDTH)),
    ("email", "x" * 300 + "@example.com"),
    ("phone", "9876543210"),
    ("phone", "98765 43210"),
    ("phone", f"98765{NBSP}43210"),
    ("phone", "98765-43210"),
    ("phone", "987-654-3210"),
    ("phone", "9876 543 210"),
    ("phone", "9876-543210"),
    ("phone", "09876543210"),
    ("phone", "919876543210"),
    ("phone", "00919876543210"),
    ("phone", "0-98765 43210"),
    ("phone", "91-9876543210"),
    ("phone", "(+91) 98765-43210"),
    ("phone", "+91 (0) 98765 43210"),
    ("phone", "+91 98 76 54 32 10"),
    ("phone", "\u202a+91 98765 43210\u202c"),
    ("phone", "+91 98765 43210".translate(DEVANAGARI)),
    ("phone", "+91 98765 43210".translate(FULL_WIDTH)),
    ("phone", "9123456780,9876543210"),
    ("phone", "9123456780/6000000000"),
    ("phone", "Mobile9876543210"),
    ("phone", "9876543210."),
    ("phone", "+1 (415) 555-2671"),
    ("phone", "+1.415.555.2671"),
    ("phone", "+44 20 7946 0958"),
    ("phone", "+4930123456"),
    ("phone", "+12345678"),
    ("phone", "+123456789012345"),
    ("phone", "+91 98765 43210 2345 6789"),
]


@pytest.mark.parametrize("around", ["{}", "no: {}, and so on", "नाम (क) {}। आगे", "हिन्दी{}हिन्दी"])
@pytest.mark.parametrize(("name", "text"), FOUND)
def test_private_data_is_found_alone_and_within_text(name, text, around):
    assert reason(around.format(text), name) == name


PASSED: list[tuple[BuiltIn, str]] = [
    ("pan", "ABCXE1234F"),
    ("pan", "ABCP1234F"),
    ("pan", "ABCPEF1234F"),
    ("pan", "ABCPE12345F"),
    ("pan", "ABCPE12345"),
    ("pan", "27ABCPE1234F1Z5"),
    ("pan", "ABCPE1234FG"),
    ("pan", "1ABCPE1234F"),
    ("pan", "ABCPE 1234 F"),
    ("aadhaar", "2345 6789 0123"),
    ("aadhaar", aadhaar("12345678901")),
    ("aadhaar", aadhaar("02345678901")),
    ("aadhaar", f"1{AADHAAR}"),
    ("aadhaar", f"{AADHAAR}1"),
    ("aadhaar", f"0.{AADHAAR}"),
    ("aadhaar", grouped(AADHAAR, 3, 3, 3, 3)),
    ("aadhaar", grouped(AADHAAR, 6, 6)),
    ("aadhaar", grouped(AADHAAR, 4, 4, 4, gap=",")),
    ("aadhaar", grouped(AADHAAR, 4, 4, 4, gap=".")),
    ("aadhaar", grouped(AADHAAR, 4, 4, 4, gap="\n\n\n\n")),
    ("ifsc", "SBIN1001234"),
    ("ifsc", "SBI0001234"),
    ("ifsc", "SBIN000123"),
    ("ifsc", "SBIN00012345"),
    ("ifsc", "XSBIN0001234"),
    ("ifsc", "page0number"),
    ("ifsc", "Item0Number"),
    ("card", "4111 1111 1111 1112"),
    ("card", "6666666666666"),
    ("card", grouped(card("201920202021202"), 4, 4, 4, 4)),
    ("card", "0000 0000 0000 0000"),
    ("card", "411111111111"),
    ("card", "41111111111111111111"),
    ("card", "1411 1111 1111 1111 1"),
    ("card", "0.4111111111111111"),
    ("card", "4,111,111,111,111,111"),
    ("card", "4111.1111.1111.1111"),
    ("card", "41 11 11 11 11 11 11 11"),
    ("card", " ".join(LONG_CARD + "5")),
    ("card", " ".join("9" + LONG_CARD)),
    ("card", "7992739871300000"),
    ("card", "9780306406157"),
    ("email", "@handle"),
    ("email", "a@"),
    ("email", "a@host"),
    ("email", "a @ b.in"),
    ("email", "(@example.com)"),
    ("email", "rice 5@12.50"),
    ("email", "5@Rs.50"),
    ("email", "package@1.2.3"),
    ("email", "a@b..in"),
    ("email", "a@.in"),
    ("phone", "5876543210"),
    ("phone", "987654321"),
    ("phone", "98765432101"),
    ("phone", "1,23,45,678.00"),
    ("phone", "9,87,65,43,210.00"),
    ("phone", "9876543210.00"),
    ("phone", "0.9876543210"),
    ("phone", "+12345678.00"),
    ("phone", "INV9876543210"),
    ("phone", "f9876543210ab"),
    ("phone", "INV-2024-000123"),
    ("phone", "INV/2023-24/00123"),
    ("phone", "2024-01-15 10:30:00"),
    ("phone", "15/01/2024"),
    ("phone", "+2024-01-15"),
    ("phone", "15-01-2024 16-01-2024"),
    ("phone", "+05:30"),
    ("phone", "560001"),
    ("phone", "+1234567"),
    ("phone", "+1234567890123456"),
    ("phone", "+0123456789"),
    ("phone", "2+12345678"),
    ("phone", "98 76 54 32 10"),
    ("phone", "9876 5432 1098"),
    ("phone", "9876543210" * 2),
]


@pytest.mark.parametrize("around", ["{}", "no: {}, and so on", "नाम (क) {}। आगे"])
@pytest.mark.parametrize(("name", "text"), PASSED)
def test_what_only_looks_alike_is_passed(name, text, around):
    assert reason(around.format(text), name) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Invoice LM-20631 of March 3, 2026: 12 units at Rs. 1,250.00, total Rs. 15,000.00.",
        "Order 4500012345 dated 15.01.2024, GST 18%, PIN 560001, page 3 of 12.",
        "कुल राशि ₹1,23,45,678.00 दिनांक १५/०१/२०२४ को देय है।",
        "2019 2020 2021 2022 2023\n1012 1140 1255 1301 1498",
        "rows 10 20 30 40 50 60 70 80 90, 12:30-14:45, 3.14159265358979",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ],
)
def test_everyday_text_pins_nothing(text):
    assert reasons(text) == [None]


def test_only_the_patterns_that_were_asked_for_are_looked_for():
    text = "a@b.in, +91 98765 43210"
    assert reasons(text, names=("email",)) == ["email"]
    assert reasons(text, names=("phone",)) == ["phone"]
    assert reasons(text, names=()) == [None]


def test_names_are_sorted_and_given_once():
    text = "+1 415 555 2671, a@b.in, ABCPE1234F, c@d.in"
    assert reasons(text, names=("phone", "pan", "email", "pan")) == ["email, pan, phone"]


def test_a_reason_never_holds_what_was_found():
    text = f"a@b.in {AADHAAR} ABCPE1234F SBIN0001234 4111111111111111 9876543210"
    assert reasons(text) == ["aadhaar, card, email, ifsc, pan, phone"]


def test_only_the_pieces_with_private_data_are_pinned():
    assert reasons("hello", "a@b.in", "and", "ABCPE1234F") == [None, "email", None, "pan"]
    assert reasons() == []


def test_neighbours_of_a_value_that_fills_its_piece_are_free():
    assert reasons("x", "a@b.in", "y") == [None, "email", None]
    assert reasons("(", "a@b.in", ")", gap=0) == [None, "email", None]


@pytest.mark.parametrize("gap", [1, 2, 3])
def test_a_value_across_a_border_pins_both_sides(gap):
    left, right = AADHAAR[:4], AADHAAR[4:]
    assert reasons(f"no {left}", f"{right} is", gap=gap) == ["aadhaar"] * 2


def test_a_value_across_three_pieces_pins_all_of_them():
    texts = ["none", f"no {AADHAAR[:4]}", AADHAAR[4:8], f"{AADHAAR[8:]} is", "none"]
    assert reasons(*texts) == [None, *["aadhaar"] * 3, None]


def test_a_value_cut_without_space_between_pins_both_sides():
    assert reasons("see first", ".last", "@example", ".com", gap=0) == ["email"] * 4


def test_pieces_far_apart_hold_no_value_together():
    assert reasons(AADHAAR[:4], AADHAAR[4:], gap=9) == [None, None]


FILLER = st.text(st.sampled_from("ab क।\n"), max_size=60)
VALUES = st.sampled_from(
    ["2345 6789 0124", "+91 98765 43210", "4111 1111 1111 1111", "a@b.in", "ABCPE1234F"]
)


@given(FILLER, VALUES, FILLER, st.integers(min_value=4, max_value=40))
def test_however_a_text_is_cut_all_of_a_value_is_pinned_and_nothing_else(head, value, tail, budget):
    text = Text.of([f"{head} {value} {tail}"])
    start = len(head) + 1
    cut = chunk(text, budget)
    pinned = Pins(PinConfig(patterns=ALL)).reasons(cut)
    touched = [p.char_start < start + len(value) and p.char_end > start for p in cut]
    assert [why is not None for why in pinned] == touched


def test_an_own_pattern_is_found_by_its_name():
    assert own(r"M-\d{6}", "see M-123456", "see M-12345") == ["matter number", None]


def test_an_own_pattern_sees_the_text_as_it_stands():
    assert own("M‑१", "M‑१", "M-1") == ["matter number", None]


def test_an_own_pattern_is_found_across_a_border():
    assert own(r"Project\s+Blue", "our Project", "Blue sky", "end") == ["matter number"] * 2 + [
        None
    ]


def test_an_own_pattern_that_only_looks_ahead_pins_where_it_matches():
    assert own("(?=secret)", "a", "the secret", "b") == [None, "matter number", None]
    assert own("(?=secret)", "a", "secret", "b") == [None, "matter number", None]


@pytest.mark.parametrize("value", ["ABCPE1234F", "HDFC0001234", "asha.rao@example.org"])
def test_a_value_that_a_line_end_broke_is_found_wherever_it_broke(value):
    for at in range(1, len(value)):
        for end in ("\n", " \n  ", "-\n"):
            broken = f"see {value[:at]}{end}{value[at:]} there"
            assert reasons(broken) != [None], broken


def test_an_own_pattern_is_found_though_a_line_end_broke_it():
    for broken in ("M-\n123456", "M-12\n3456", "M-12-\n3456", "M\n-123456"):
        assert own(r"M-\d{6}", f"see {broken}, please") == ["matter number"]
    assert own("confidential", "it is confi-\ndential") == ["matter number"]
    assert own("confidential", "con", "fidential", "con") == ["matter number"] * 2 + [None]


def test_joined_lines_pin_nothing_beyond_what_they_make_whole():
    assert reasons("write to a@b.in", "Next line") == ["email", None]
    assert reasons("ABCPE1234F", "4 ABCPE") == ["pan", None]
    assert reasons("one\ntwo ABCPE\nthree 1234F") == [None]


ENDLESS = r"(?:.*?,){12}P"
"""For each comma more it takes more than twice as long."""

COMMAS = ", ".join(map(str, range(30))) + "Q P"


def test_groups_of_one_number_that_stand_in_several_columns_are_found():
    for number in ("4111     1111      1111    1111", "98765      43210"):
        assert reason(f"Paid by {number}", "card" if len(number) > 20 else "phone")
    assert own("AB 12", "AB     12") == ["matter number"]
    assert own("AB12", "AB     12") == [None]


def test_a_pattern_that_takes_for_ever_keeps_everything_in_the_building(monkeypatch):
    monkeypatch.setattr(private, "OWN_S", 0.05)
    assert own(ENDLESS, COMMAS, "harmless") == ["matter number"] * 2


async def test_while_a_pattern_takes_its_time_others_run(monkeypatch):
    monkeypatch.setattr(private, "OWN_S", 0.5)
    looking = asyncio.create_task(asyncio.to_thread(own, ENDLESS, COMMAS))
    turns = 0
    while not looking.done():
        await asyncio.sleep(0.005)
        turns += 1
    assert await looking == ["matter number"]
    assert turns > 20, "the loop went on"


def test_own_and_built_in_names_are_sorted_together():
    config = PinConfig(patterns=("pan", "email"), own={"file": "file"})
    assert Pins(config).reasons(pieces("file a@b.in ABCPE1234F")) == ["email, file, pan"]


RUNS = [
    *"0129aAé@.+-( \n\u200b२क",
    "4 ", "a@", "a.", "a@a.", "+1", "+1 ", "A0", "@a", "+(", "4444-", "9876 ", "12 ", "AAAAP1",
]  # fmt: skip


@pytest.mark.parametrize("run", RUNS)
def test_a_long_run_pins_nothing_and_hides_nothing_after_it(run):
    hostile = run * (200_000 // len(run))
    assert reasons(hostile, f"पता: a@b.in, {AADHAAR}", gap=9) == [None, "aadhaar, email"]


@pytest.mark.parametrize(
    "value", ["a@b.in ", "2345 6789 0124 ", "+91 98765 43210, ", "ABCPE1234F "]
)
def test_a_long_run_of_values_pins_every_piece(value):
    texts = [(value * 100).strip()] * 100
    assert None not in reasons(*texts)
