"""Each rule with values that it concerns and values that it lets pass."""

import pytest

from models.reasons import FieldCode, FieldOutcome, outcome_of
from models.words import TaskType
from worker.run.ground import Source
from worker.run.verify.asked import asked_of
from worker.run.verify.check import FieldCheck
from worker.run.verify.verify import verify

ANY = {"type": ["string", "number", "null"]}


def checked(value: dict, text: str, **schemas: dict) -> dict[str, FieldCheck]:
    properties = {key: schemas.get(key, ANY) for key in value}
    schema = {"type": "object", "properties": properties, "required": list(value)}
    return verify(TaskType.EXTRACTION, asked_of(value, schema), [Source(0, text)])


def code(field: str, value: object, text: str) -> str:
    return str(checked({field: value}, text)[field].code)


INVOICES = {
    "en": (
        "Bright Tools Ltd\nInvoice No: 452\nInvoice Date: April 3, 2024\nDue Date: April 17, 2024\n"
        "Subtotal $1,100.00\nTax $134.56\nTotal Due $1,234.56\n",
        1234.56,
        1100,
    ),
    "en-IN": (
        "Sharma Traders\nInvoice No: 452\nInvoice Date: 03-Apr-2024\nDue Date: 17-Apr-2024\n"
        "Taxable Value 1,04,623.73\nIGST @18% 18,832.27\nGrand Total ₹ 1,23,456.00\n",
        123456,
        104623.73,
    ),
    "de": (
        "Müller GmbH\nRechnungsnummer: RE-2024-117\nRechnungsdatum: 03.04.2024\n"
        "Fällig am: 17.04.2024\nZwischensumme 1.037,45 €\nMwSt. 19 % 197,11 €\n"
        "Gesamtbetrag: 1.234,56 €\nAnzahlung 200,00 €",
        1234.56,
        1037.45,
    ),
    "fr": (
        "Société Lumière\nFacture n° 2024-88\nDate de facture : 3 avril 2024\n"
        "Date d'échéance : 17 avril 2024\nTotal HT : 1 028,80 €\nTVA 20 % : 205,76 €\n"
        "Total TTC : 1 234,56 €",
        1234.56,
        1028.80,
    ),
    "ch": (
        "Berner Käse AG\nRechnungsdatum 03.04.2024\nzahlbar bis 17.04.2024\nNetto CHF 1'146.25\n"
        "MWST 7.7% CHF 88.25\nTotal CHF 1'234.50",
        1234.5,
        1146.25,
    ),
    "hi": (
        "शर्मा ट्रेडर्स\nबिल संख्या: 452\nबिल दिनांक: ०३/०४/२०२४\nदेय तिथि: १७/०४/२०२४\n"
        "उप-योग: ₹१,१०,०००\nजीएसटी: ₹१३,४५६\nकुल राशि: ₹१,२३,४५६",
        123456,
        110000,
    ),
    "ta": (
        "முருகன் நிறுவனம்\nபில் எண்: 77\nபில் தேதி: 3 ஏப்ரல் 2024\nகடைசி தேதி: 17 ஏப்ரல் 2024\n"
        "துணை மொத்தம்: ரூ. 1,10,000\nவரி: ரூ. 13,456\nமொத்த தொகை: ரூ. 1,23,456",
        123456,
        110000,
    ),
    "ar": (
        "شركة النور\nرقم الفاتورة: ٤٥٢\nتاريخ الفاتورة: ٣ أبريل ٢٠٢٤\n"
        "تاريخ الاستحقاق: ١٧ أبريل ٢٠٢٤\n"
        "المجموع الفرعي: ١١٠٬٠٠٠٫٠٠\nالضريبة: ١٣٬٤٥٦٫٠٠\nالمبلغ الإجمالي: ١٢٣٬٤٥٦٫٠٠",
        123456,
        110000,
    ),
    "zh": (
        "华光科技有限公司\n发票号码：00452\n开票日期：2024年4月3日\n到期日：2024年4月17日\n"
        "小计：¥110,000.00\n税额：¥13,456.00\n价税合计：¥123,456.00",
        123456,
        110000,
    ),
    "ja": (
        "光株式会社\n請求書番号：452\n発行日：2024年4月3日\n支払期限：2024年4月17日\n"
        "小計 110,000円\n消費税 13,456円\n合計金額 123,456円",
        123456,
        110000,
    ),
}


@pytest.mark.parametrize("locale", INVOICES)
def test_the_right_values_of_an_invoice_are_sure_in_every_locale(locale):
    text, total, _ = INVOICES[locale]
    right = {"total": total, "invoice_date": "2024-04-03", "due_date": "2024-04-17"}
    assert {one.outcome for one in checked(right, text).values()} == {FieldOutcome.SURE}


@pytest.mark.parametrize("locale", INVOICES)
def test_the_values_of_its_other_labels_are_wrong_in_every_locale(locale):
    text, _, subtotal = INVOICES[locale]
    mixed_up = {"total": subtotal, "invoice_date": "2024-04-17", "due_date": "2024-04-03"}
    found = checked(mixed_up, text)
    assert {one.code for one in found.values()} == {FieldCode.OTHER_LABEL}


NOTE = (
    "Larkmoor Ltd\n12 High Street\nInvoice Date: 3 May 2024\nSubtotal: 90.00\nTotal: 99.50 EUR\n"
    "Delivery within 2 weeks. Balance: -40.00\nBudget: 5 million\nTerm: two (2) years\n"
    "Interest 6 % a year\nSecretary: Anna de Vries-Holm\n"
)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        # it stands nowhere, or as another value
        ("total", "99.50", "labelled"),
        ("total", 99.5, "labelled"),
        ("total", "99,50", "labelled"),
        ("total", "99.05", "not_in_text"),
        ("total", "-99.50", "sign"),
        ("balance", "40.00", "sign"),
        ("balance", "-40.00", "labelled"),
        ("total", "99.50 EUR", "labelled"),
        ("total", "99.50 USD", "unit"),
        ("balance", "-40.00 USD", "unit_unsaid"),
        ("total", 9950, "scale"),
        ("total", "99.50 million", "scale"),
        ("budget", 5_000_000, "labelled"),
        ("budget", 5, "scale"),
        ("budget_in_million", 5, "labelled"),
        ("term", "2 years", "labelled"),
        ("term", "2 months", "unit"),
        ("interest", "6%", "labelled"),
        ("interest", 0.06, "labelled"),
        ("total", "ninety-nine", "not_in_text"),
        # dates
        ("invoice_date", "2024-05-03", "labelled"),
        ("invoice_date", "May 3, 2024", "labelled"),
        ("invoice_date", "2024-03-05", "day_month"),
        ("invoice_date", "2023-05-03", "not_in_text"),
        ("seller", "3 May 2024", "other_kind"),
        # names
        ("seller", "Larkmoor Ltd", "letterhead"),
        ("seller", "Larkmoor", "part"),
        ("secretary", "Anna de Vries-Holm", "labelled"),
        ("secretary", "Anna", "part"),
        ("secretary", "Larkmoor Holm", "near"),
        ("seller", "Quillfeather Press", "not_in_text"),
        ("seller", "Larkmo0r Ltd", "misread"),
        ("seller", "Larkmoor, Ltd", "letterhead"),
        # labels
        ("total", "90.00", "other_label"),
        ("delivery", "2 weeks", "labelled"),
        ("notice", "2 weeks", "unlabelled"),
        # currencies
        ("currency", "EUR", "only_one"),
        ("currency", "€", "only_one"),
        ("currency", "USD", "not_in_text"),
        # what says nothing
        ("total", ",", "empty"),
        ("total", "Total", "form_words"),
        ("seller", "N/A", "placeholder"),
        ("seller", "Blue Leaf Cafe", "example"),
        ("seller", "Blue\nLeaf  Cafe", "example"),
        ("total", None, "missed"),
        ("total", "", "missed"),
        (
            "summary",
            "They owe us less than they think, and by the end of the month too.",
            "reworded",
        ),
        ("number_of_pages", 7, "computed"),
    ],
)
def test_a_value_comes_to_the_code_of_the_first_rule_that_concerns_it(field, value, expected):
    assert code(field, value, NOTE) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Total: up to 500", "up to"),
        ("Total: approx. 500", "approx"),
        ("Total: 500 (estimated)", "estimated"),
        ("Total: 500 cancelled", "cancelled"),
        ("The total is not 500", "not"),
        ("Gesamt: bis zu 500", "bis zu"),
        ("Gesamt: voraussichtlich 500", "voraussichtlich"),
        ("Gesamt: 500 storniert", "storniert"),
        ("Total : environ 500", "environ"),
        ("Total : 500 au maximum", "au maximum"),
        ("कुल: लगभग 500", "लगभग"),
        ("कुल: 500 रुपये तक", "तक"),
        ("कुल: 500 (रद्द)", "रद्द"),
        ("மொத்தம்: சுமார் 500", "சுமார்"),
        ("மொத்தம்: 500 வரை", "வரை"),
        ("المجموع: حوالي ٥٠٠", "حوالي"),
        ("المجموع: ٥٠٠ تقريبا", "تقريبا"),
        ("总额：约500元", "约"),
        ("总额：500元左右", "左右"),
        ("总额：不超过500元", "不超过"),
        ("合計：約500円", "約"),
        ("合計：500円以内", "以内"),
        ("合計：500円（見込み）", "見込み"),
    ],
)
def test_a_word_that_limits_or_denies_a_value_is_said(text, words):
    found = checked({"total": 500}, text)["total"]
    assert (found.code, found.about) == (FieldCode.QUALIFIED, words)


@pytest.mark.parametrize(
    "text",
    [
        "Total: 500",
        "Not valid without a stamp. Total: 500",
        "Total: 500\nCancelled orders are free",
        "Notary total: 500",
        "合計：500円",
        "कुल: 500 रुपये",
    ],
)
def test_such_a_word_elsewhere_is_none(text):
    assert checked({"total": 500}, text)["total"].outcome is FieldOutcome.SURE


def test_another_value_beside_the_label_is_a_conflict_and_is_named():
    text = "Total: 99.50\n...\nTotal: 98.50"
    found = checked({"total": "99.50"}, text)["total"]
    assert found.code is FieldCode.CONFLICT
    assert found.about == "total: 98.50"
    assert code("total", "99.50", "Total: 99.50\nTotal: 99.50") == "labelled"
    assert code("total", "99.50", "Total: 99.50\nGrand total: 108.46") == "conflict"
    assert code("total", "108.46", "Total: 99.50\nGrand total: 108.46") == "labelled"


def test_a_list_has_several_values_and_no_conflict():
    text = "Party: Ann Lee\nParty: Bo Chu"
    found = checked({"party": ["Ann Lee", "Bo Chu"]}, text)
    assert [str(one.code) for one in found.values()] == ["labelled", "labelled"]


def test_the_values_of_an_item_stand_in_one_row():
    text = "Items\nPencil  2  1.50\nEraser  3  0.70\n"
    rows = [{"name": "Pencil", "price": "1.50"}, {"name": "Eraser", "price": "1.50"}]
    found = checked({"items": rows}, text)
    assert [str(found[f"items.{n}.price"].code) for n in (0, 1)] == ["row", "unlabelled"]


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        ("2017-09-05", "on 05/09/2017", "ambiguous"),
        ("2017-09-05", "on 05/09/2017, until 21/09/2017", "unlabelled"),
        ("2017-05-09", "on 05/09/2017, until 21/09/2017", "day_month"),
        ("05/09/2017", "on 05/09/2017", "only_one"),
        ("09/05/2017", "on 05/09/2017", "day_month"),
        ("2017-09-05", "in September 2017", "ambiguous"),
        ("2017-09-05", "no date at all", "none_in_text"),
        (1234, "it is 1.234", "ambiguous"),
        (1234, "it is 1.234 or 5,50", "unlabelled"),
        (1.234, "it is 1.234 or 5,50", "scale"),
        (1.234, "it is 1.234 kg", "only_one"),
        (1234, "it is 1,234", "only_one"),
    ],
)
def test_what_may_be_read_in_two_ways_is_settled_by_the_text_or_not_at_all(value, text, expected):
    assert code("what", value, text) == expected


def test_a_field_whose_name_says_nothing_may_have_any_label():
    assert code("v", 1234.56, "Summe: 1.234,56 EUR") == "only_one"
    assert code("budget_amount", 500, "Total: 500") == "unlabelled"
    assert code("budget_amount", 500, "Budget: 500") == "labelled"


BRANCH = "Larkmoor Ltd\n12 High Street,\n81750 Masai, Johor\nTel: 07-388\n"


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        ("12 High Street, 81750 Masai, Johor", BRANCH, "block"),
        ("12 High Street,", BRANCH, "part"),
        ("81750 Masai, Johor", BRANCH, "part"),
        ("High Street, 81750 Masai, Johor", BRANCH, "part"),
        ("12 High Street, 81750 Masai, Johor", f"{BRANCH}5 Low Lane, 81200 Skudai\n", "unlabelled"),
        ("12 High Street, 81705 Masai, Johor", BRANCH, "not_in_text"),
        ("4 MG Road, Pune 411001", "Shop\n4 MG Road, Pune 411001\n", "block"),
    ],
)
def test_an_address_is_sure_where_it_is_whole_and_the_only_one(value, text, expected):
    assert code("address", value, text) == expected


def test_words_that_limit_a_value_may_be_a_part_of_it():
    assert code("penalty", "up to 500", "Penalty: up to 500") == "labelled"


def test_null_is_right_where_nothing_of_the_kind_stands_and_unjudged_where_something_does():
    assert code("due_date", None, "Dear Ann, thank you.") == "absent"
    assert code("due_date", None, "Due date: 3 May 2024") == "missed"
    assert "due_date" not in checked({"due_date": None}, "Printed on 3 May 2024")
    assert code("due_date", "", "Dear Ann, thank you.") == "missing"


def test_judgements_are_not_judged():
    schema = {"type": "string", "enum": ["paid", "open"]}
    assert checked({"state": "paid", "signed": True}, "Paid.", state=schema) == {}


def test_a_value_is_asked_for_by_the_name_that_stands_beside_it():
    facts = [{"name": "total", "value": "90.00"}, {"name": "subtotal", "value": "90.00"}]
    found = checked({"facts": facts}, NOTE)
    assert {path: str(one.code) for path, one in found.items()} == {
        "facts.0.value": "unlabelled",
        "facts.1.value": "labelled",
    }


def test_a_name_in_an_object_is_the_name_of_that():
    text = "Larkmoor Ltd\nBill to: Bright Tools"
    schema = {"type": "object", "properties": {"name": ANY}}
    value = {"seller": {"name": "Larkmoor Ltd"}, "buyer": {"name": "Bright Tools"}}
    found = checked(value, text, seller=schema, buyer=schema)
    assert {path: str(one.code) for path, one in found.items()} == {
        "seller.name": "letterhead",
        "buyer.name": "labelled",
    }


@pytest.mark.parametrize(("text", "expected"), [("₹ 50 and ₹ 60", "only_one"), ("50", "computed")])
def test_a_currency_may_be_given_by_another_of_its_names(text, expected):
    assert code("currency", "INR", text) == expected
    assert code("currency", "INR", "₹ 50 and $ 60") == "unlabelled"
    assert code("currency", "INR", "$ 60") == "not_in_text"


def test_a_value_is_found_on_its_page_in_characters_of_the_document():
    sources = [Source(100, "Dear Ann", 1, (1, 1)), Source(500, "Total: 7.50", 2, (3, 3))]
    schema = {"type": "object", "properties": {"total": ANY}}
    values = asked_of({"total": 7.5}, schema)
    found = verify(TaskType.EXTRACTION, values, sources)["total"]
    assert found == FieldCheck(FieldOutcome.SURE, FieldCode.LABELLED, "total:", [507, 511], 3)
    spread = [Source(500, "Total: 7.50", 2, (3, 4))]
    assert verify(TaskType.EXTRACTION, values, spread)["total"].page is None


def test_every_code_has_one_outcome():
    assert {outcome_of(each) for each in FieldCode} == set(FieldOutcome)


HOSTILE = {
    "many numbers": ("1 " * 20_000, {"total": "1"}),
    "many labels": ("total " * 20_000 + "1", {"total": "1"}),
    "many dates": ("05/09/2017 " * 5_000, {"date": "2017-09-05"}),
    "one long word": ("a" * 100_000, {"seller": "a" * 99_999}),
    "nested brackets": ("(" * 50_000, {"total": "(" * 40}),
    "colons": (":" * 50_000, {"seller": ":a:"}),
    "long digits": ("9" * 50_000, {"total": "9" * 49_999}),
    "signs on signs": ("a" + "\u0301" * 50_000, {"seller": "a\u0301"}),
    "grouped for ever": ("1," * 50_000, {"total": "1,1"}),
    "blanks": ("total" + " " * 50_000 + "5", {"total": "5"}),
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_do_not_hold_it_up(name):
    text, value = HOSTILE[name]
    checked(value, text)


@pytest.mark.parametrize(
    ("seller", "text", "expected"),
    [
        ("Larkmoor", "Larkmoor\n1 High Street\nTotal: 5.00", "letterhead"),
        ("Larkmoor", "Larkmoor\nLarkmoor Stationery Ltd\nTotal: 5.00", "unlabelled"),
        ("Larkmoor", "Larkmoor,\nBest in town\nLarkmoor Stationery Ltd\n", "unlabelled"),
        ("Cafe Luna", "Cafe Luna\nLuna House\n1 High Street", "unlabelled"),
        ("Larkmoor Ltd", "Larkmoor Ltd\n1 High Street\nmail@larkmoor.example", "letterhead"),
        ("Larkmoor Ltd", "Larkmoor Ltd\nLarkmoor Ltd\n1 High Street", "letterhead"),
        ("Larkmoor Ltd (682288-V)", "Larkmoor Ltd (682288-V)\n1 High Street", "unlabelled"),
        ("华光公司", "华光公司\n华光公司北京分店\n", "unlabelled"),
        ("RM", "Cafe Luna\n1 High Street\nTotal RM 5.00", "unlabelled"),
    ],
)
def test_the_first_line_is_who_wrote_it_where_no_line_below_says_more_of_it(seller, text, expected):
    assert code("seller", seller, text) == expected
