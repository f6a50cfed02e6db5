"""Papers with facts in them: bills, receipts, letters, contracts, notices, reports.

Each is drawn anew: what stands in it, in which words and in what order. Its facts are copied from
its text letter by letter; what it does not have is no fact of it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from worker.tune.synthetic.lot import Lot, table


@dataclass(slots=True)
class Paper:
    """A text in the making, and its facts by the names of fields.yaml."""

    lot: Lot
    lines: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)

    def add(self, *lines: str) -> None:
        """Lines as they stand."""
        self.lines += lines

    def tell(self, fact: str, value: str, template: str = "{v}") -> None:
        """A line that holds a fact in the place of {v}."""
        self.facts[fact] = value
        self.lines.append(self.lot.text(template.replace("{v}", "\0")).replace("\0", value))

    def maybe(self, share: float, fact: str, value: str, template: str = "{v}") -> None:
        """The same in some of the papers only."""
        if self.lot.odds(share):
            self.tell(fact, value, template)

    def shuffled(self, *parts: Callable[[], None]) -> None:
        """Parts in any order."""
        for part in self.lot.sample(parts, len(parts)):
            part()

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self.lines).strip()


NUMBER = "[Invoice number|Invoice no.|Invoice No|Invoice #|Inv. No.|Bill no.|Bill number|Number|Document no.|Our ref.|Reference|Tax invoice no.|Memo no.|Rechnung Nr.|Invoice][: |: | ]{v}"
DATE = "[Date|Invoice date|Dated|Date of issue|Bill date|Issued|Issued on|Datum][: |: | ]{v}"
DUE = "[Due date|Due|Payment due|Please pay by|Payable until|Pay before|Due on][: |: | ]{v}"
TOTAL = "[Total|TOTAL|Grand total|Total due|Amount due|Amount payable|Total amount|Balance due|To pay|Total payable|Net payable|Invoice total|Total incl. tax|Sum total|Final amount][: |: |  |   ]{v}"
SUBTOTAL = "[Subtotal|Sub-total|Net|Net amount|Taxable value|Total before tax|Goods total|Sum of items][: |: |  ]{v}"
TAX = "[VAT|GST|Tax|Sales tax|IGST|VAT at 20%|CGST 9% + SGST 9%|Tax 8%|MwSt. 19%][: |: |  ]{v}"
TO = "[Bill to|Customer|Sold to|To|Billed to|Client|M/s|Buyer][: |:\n|: ]{v}"
ORDER = "[Order number|Your order|PO|Purchase order|Order no.|Order ref.][: |: ]{v}"
PHONE = "[Phone|Tel|Tel.|Telephone|Call|Mobile|Ph][: |: | ]{v}"
TAX_ID = "[GSTIN|VAT reg. no.|Tax ID|GST ID|GST Reg No|UID][: |: | ]{v}"


def _items(lot: Lot, least: int, most: int) -> tuple[list[str], float]:
    """Lines of a table, and what they come to."""
    style, total, lines = lot.randint(0, 4), 0.0, []
    for _ in range(lot.randint(least, most)):
        count, price = lot.randint(1, 12), round(10 ** lot.uniform(0.5, 3.6), 2)
        total += count * price
        thing = lot.choice(table("words")["things"])
        name = lot.choice(
            (thing, thing.capitalize(), f"{lot.letters(2, 2)}-{lot.randint(10, 99)} {thing}")
        )
        each, both = f"{price:,.2f}", f"{count * price:,.2f}"
        lines.append(
            (
                f"{name} {count} {each} {both}",
                f"{count} x {name} {each}   {both}",
                f"{name}, {count} pcs at {each}: {both}",
                f"| {name} | {count} | {each} | {both} |",
                f"{name}\n  {count} X {each}  {both}",
            )[style]
        )
    return lines, total


def _sums(paper: Paper, total: float) -> None:
    """Subtotal, tax and total, in one way of writing them."""
    lot = paper.lot
    sign = lot.choice(("{}", "Rs. {}", "₹{}", "${}", "£{}", "€ {}", "{} INR", "RM{}", "{} EUR"))
    tax = round(total * lot.choice((0.05, 0.06, 0.08, 0.18, 0.2)), 2)
    put = lot.choice(("{:,.2f}".format, "{:.2f}".format, "{:,.2f}".format))
    if lot.odds(0.6):
        paper.tell("subtotal", sign.format(put(total)), SUBTOTAL)
        if lot.odds(0.3):
            discount = round(total * 0.1, 2)
            total -= discount
            paper.add(
                f"{lot.choice(('Discount', 'Less 10%', 'Rebate'))}: -{sign.format(put(discount))}"
            )
        if lot.odds(0.3):
            paper.add(f"{lot.choice(('Shipping', 'Freight', 'Postage'))}: {sign.format(put(25.0))}")
            total += 25
        paper.tell("tax", sign.format(put(tax)), TAX)
        total += tax
    paper.tell("total", sign.format(put(total)), TOTAL)


def invoice(lot: Lot) -> Paper:
    """An invoice: head, facts, items, sums, a word on payment."""
    paper = Paper(lot)
    vendor, address = lot.firm(), lot.address()
    paper.tell("vendor", lot.choice((vendor, vendor.upper())))
    if lot.odds(0.8):
        paper.facts["address"] = ", ".join(address)
        paper.add(", ".join(address))
    paper.maybe(0.4, "phone", lot.phone(), PHONE)
    paper.maybe(
        0.3,
        "tax_id",
        f"{lot.digits(2, 2)}{lot.letters(5, 5)}{lot.digits(4, 4)}A1Z{lot.digits(1, 1)}",
        TAX_ID,
    )
    paper.add(
        "", lot.choice(("INVOICE", "TAX INVOICE", "Invoice", "BILL", "Bill of supply", "")), ""
    )
    paper.shuffled(
        lambda: paper.maybe(0.9, "number", lot.code(), NUMBER),
        lambda: paper.maybe(0.9, "date", lot.date(), DATE),
        lambda: paper.maybe(0.35, "due", lot.date(), DUE),
        lambda: paper.maybe(0.3, "order", lot.code(), ORDER),
    )
    paper.maybe(0.7, "buyer", lot.choice((lot.firm(), lot.person())), TO)
    lines, total = _items(lot, 1, 6)
    paper.add("", *(["Description Qty Rate Amount"] if lot.odds(0.6) else []), *lines, "")
    _sums(paper, total)
    if lot.odds(0.5):
        paper.add(
            "",
            lot.text(
                "[Please quote the number of this bill.|Thank you for your custom.|Late payers owe interest.|Goods remain ours until paid. Account {code}.|E. & O. E.|Returns within {n} days.]"
            ),
        )
    return paper


def receipt(lot: Lot) -> Paper:
    """What a till prints."""
    paper = Paper(lot)
    loud = lot.odds(0.7)

    def case(text: str) -> str:
        return text.upper() if loud else text

    if lot.odds(0.15):
        paper.add(
            lot.choice(("*** WELCOME ***", lot.digits(5, 7), "CUSTOMER COPY", case(lot.person())))
        )
    paper.tell("vendor", case(lot.firm() + lot.choice(("", "", " SDN BHD", " (M) SDN. BHD."))))
    if lot.odds(0.4):
        paper.add(f"({lot.digits(6, 7)}-{lot.letters(1, 1)})")
    if lot.odds(0.85):
        lines = [case(line) + lot.choice((",", "", ",")) for line in lot.address()]
        lines[-1] = lines[-1].rstrip(",") + lot.choice(("", "."))
        paper.facts["address"] = " ".join(lines)
        paper.add(*lines)
    paper.maybe(0.5, "phone", lot.phone(), "[TEL|Tel|PHONE][: | : |:]{v}")
    paper.maybe(0.4, "tax_id", lot.digits(12, 12), "[GST ID|GST REG NO|GST NO|TAX ID][: | : |:]{v}")
    paper.add(
        lot.choice(("", "TAX INVOICE", "RECEIPT", "CASH BILL", "SIMPLIFIED TAX INVOICE", "-----"))
    )
    time = f" {lot.randint(8, 22)}:{lot.randint(10, 59)}{lot.choice(('', ':27', ' PM'))}"
    paper.shuffled(
        lambda: (
            paper.tell(
                "date",
                lot.date(),
                f"[DATE|Date|DATE ][: | : |:]{{v}}{time if lot.odds(0.6) else ''}",
            )
            if lot.odds(0.95)
            else None
        ),
        lambda: paper.maybe(
            0.7,
            "number",
            lot.code(),
            "[BILL NO|RECEIPT #|INVOICE NO|INV NO.|DOC NO.|Receipt no][: | : |:]{v}",
        ),
        lambda: paper.add(lot.text("[CASHIER|Cashier|STAFF|COUNTER|TABLE|SALESPERSON]: {m}")),
    )
    lines, total = _items(lot, 1, 7)
    paper.add(*[case(line) for line in lines])
    if lot.odds(0.4):
        paper.add(f"{lot.choice(('TOTAL QTY', 'ITEMS', 'Item count'))}: {lot.randint(1, 20)}")
    _till(paper, total)
    if lot.odds(0.6):
        paper.add(
            lot.choice(
                (
                    "THANKS FOR YOUR VISIT",
                    "NO RETURN OF GOODS",
                    "Your team at the till",
                    "KEEP THIS SLIP FOR EXCHANGE WITHIN 7 DAYS",
                )
            )
        )
    return paper


def _till(paper: Paper, total: float) -> None:
    """The sums of a receipt: what counts is what had to be paid, not what was handed over."""
    lot = paper.lot
    sign = lot.choice(("", "", "RM ", "RM", "$", "Rs ", "£"))
    tax, rounding = round(total * 0.06, 2), round(lot.choice((-0.02, -0.01, 0.01, 0.02)), 2)
    if lot.odds(0.5):
        paper.tell(
            "subtotal",
            f"{sign}{total:.2f}",
            "[SUBTOTAL|SUB TOTAL|BEFORE TAX|TOTAL EXCL. GST][: |  | : ]{v}",
        )
        paper.tell("tax", f"{sign}{tax:.2f}", "[GST 6%|TAX|TOTAL GST|SERVICE TAX][: |  | : ]{v}")
        total += tax
    if lot.odds(0.35):
        paper.add(f"{lot.choice(('ROUNDING', 'ROUNDING ADJ', 'Rounding'))}: {rounding:.2f}")
        total += rounding
    final = "[TOTAL|GRAND TOTAL|TOTAL AMOUNT|NET TOTAL|TOTAL INCL. GST|AMOUNT DUE|TOTAL PAYABLE|Total|ROUNDED TOTAL][: |  | : |:]{v}"
    paper.tell("total", f"{sign}{total:.2f}", final)
    if lot.odds(0.55):
        given = (int(total / 10) + 1) * 10
        paper.tell("payment", lot.choice(("CASH", "Cash")), f"{{v}}  {sign}{given:.2f}")
        paper.add(f"{lot.choice(('CHANGE', 'Change', 'BALANCE'))}  {sign}{given - total:.2f}")
    else:
        paper.maybe(
            0.7,
            "payment",
            lot.choice(("VISA", "MASTERCARD", "UPI", "DEBIT CARD")),
            f"{{v}}  {sign}{total:.2f}",
        )


def letter(lot: Lot) -> Paper:
    """A mail of a customer with facts in its sentences."""
    paper = Paper(lot)
    if lot.odds(0.4):
        paper.add(lot.text("Subject: [your delivery|a question of money|order|our last call]"))
        paper.maybe(0.7, "date", lot.date(), "Date: {v}")
    paper.add(lot.choice(("Dear Sir or Madam,", "Hello,", "Dear team,", "Good day,", "")))
    thing = lot.choice(table("words")["thing"])
    paper.shuffled(
        lambda: paper.maybe(
            0.8,
            "order",
            lot.code(),
            "[My order number is|The order has the number|This is about order|I write about my order|See order] {v}.",
        ),
        lambda: paper.maybe(
            0.7,
            "item",
            thing,
            "[The|Your|That] {v} [that I bought|which came last week|in the parcel] [does not work|is too small|was the wrong one|is missing a part].",
        ),
        lambda: paper.maybe(
            0.7,
            "refund",
            lot.money(),
            "[I paid|Please return|It cost me|I ask for|You took] {v} [for it|in full|by card].",
        ),
        lambda: paper.maybe(
            0.5,
            "deadline",
            lot.date(),
            "[I expect an answer by|Please reply before|Kindly settle this until|I can wait until] {v}.",
        ),
        lambda: paper.maybe(
            0.4,
            "phone",
            lot.phone(),
            "[You reach me at|Call me on|My number:] {v}[ in the evening|].",
        ),
        lambda: paper.maybe(
            0.4, "address", ", ".join(lot.address()), "[I live at|My address is|Send it to] {v}."
        ),
    )
    paper.add(
        lot.text(
            "[I bought from you {m} times before.|The weather has been poor here in {city}.|My neighbour {name} had the same trouble.|It is a pity.|There is no hurry.]"
        )
    )
    paper.maybe(
        0.8, "sender", lot.person(), "[Regards,|Yours,|Best wishes,|Thank you.|Sincerely]\n{v}"
    )
    return paper


DUTIES = (
    "The [Lessee|Tenant|Licensee] shall pay [a rent of|as rent|for the premises] {v} [every month|a quarter|for each year]",
    "A [deposit|security] of {v} shall be [paid|lodged with the {o}] [before the keys are handed over|on signature]",
    "For the services the [Client|Customer] pays {v} [a month|in advance|upon completion]",
    "[When late|In case of breach] the [Contractor|Supplier] owes {v}",
    "The liability of the [Carrier|Supplier] shall not exceed {v} [in any one year|for each event]",
    "The [Hirer|Tenant] [buys|keeps] a policy over {v} [against fire|for the goods]",
)
TERMS = (
    "[This agreement|The term|The lease] runs for {v} [from the day of signature|and ends without notice]",
    "[Either party|The Tenant|The Client] may end it by notice of {v} [in writing|to the other]",
    "[Payment falls due within|Repairs are done within|Objections are raised within] {v}",
    "[The duty of secrecy lasts|The guarantee holds|The offer stands] for {v} [after delivery|from then on]",
    "[No increase is made during|It may be renewed for a further] {v}",
)
PERIODS = (
    "thirty days", "{m} months", "{n} days", "two years", "six months", "one year", "{m} weeks",
    "fourteen days", "{m} years", "twelve (12) months", "ninety (90) days", "a quarter", "{n} hours",
    "eleven months", "three financial years", "{n} working days", "sixty days", "five years",
)  # fmt: skip
HEADINGS = (
    "Rent",
    "Term",
    "Notice",
    "Deposit",
    "Fees",
    "Insurance",
    "Secrecy",
    "Repairs",
    "Liability",
    "Use",
    "Delivery",
    "Notices",
    "Renewal",
    "Outgoings",
)
FILLERS = (
    "The headings are for ease of reading and change nothing.",
    "Words in the singular include the plural.",
    "The [Owner|Lessor] may enter at a fair hour after telling the other side.",
    "No waiver counts unless it is made in writing.",
    "The premises are used as [an office|a workshop|a shop] and for nothing else.",
    "Notices are delivered where the other side last said that it lives.",
    "[Walls and floors|Doors and locks] are kept as they were found.",
    "Neither side may hand its rights to others without consent.",
    "Costs of stamps and copies are shared.",
    "The [Tenant|Lessee] keeps the drains free and lets no water run to waste.",
    "If a word of this deed should prove void, the others stand.",
    "Signs on the outer wall need the leave of the [Owner|Lessor], which is not refused without a reason.",
    "Each side bears the cost of its own advisers.",
    "The [Owner|Lessor] keeps roof and outer walls sound and dry.",
    "Dogs, fires and loud machines are not allowed in the yard.",
    "Whoever signs for a firm states that the firm has empowered them to do so.",
    "A plan of the rooms is fixed to this deed and is part of it.",
)


def clauses(lot: Lot) -> Paper:
    """A page of a contract, of which one clause or more speaks of money or time."""
    paper = Paper(lot)
    number, style = (
        lot.randint(1, 24),
        lot.choice(
            ("{a}.{b}", "{a}.{b}", "Clause {a}", "{a}.", "§ {a}", "Section {a}.{b}", "Article {a}")
        ),
    )
    if lot.odds(0.4):
        paper.add(
            f"{number}. {lot.choice(HEADINGS)}" if lot.odds(0.6) else lot.choice(HEADINGS).upper(),
            "",
        )
    has_money, has_period = lot.odds(0.65), lot.odds(0.7)
    count = lot.choice((2, 3, 3, 4, 6, 8))
    main = lot.randint(0, count - 1)
    for at in range(count):
        name = style.format(a=number if "b" in style else number + at, b=at + 1)
        if at != main:
            if lot.odds(0.75):
                paper.add(f"{name} {lot.text(lot.choice(FILLERS))}")
            continue
        paper.facts["clause"] = re.sub(r"[^\d.]", "", name).strip(".")
        said = []
        if has_money:
            paper.facts["clause_money"] = lot.choice(
                ("Rs. {}", "₹{}", "${}", "INR {}", "£{}", "{} euros", "Rs. {}/-")
            ).format(lot.written(lot.amount() * 50))
            said.append(
                lot.text(lot.choice(DUTIES).replace("{v}", "\0"), {"o": "Owner"}).replace(
                    "\0", paper.facts["clause_money"]
                )
            )
        if has_period:
            paper.facts["clause_period"] = lot.text(lot.choice(PERIODS))
            said.append(
                lot.text(lot.choice(TERMS).replace("{v}", "\0")).replace(
                    "\0", paper.facts["clause_period"]
                )
            )
        lot.shuffle(said)
        paper.add(f"{name} {'. '.join(said) or lot.text(lot.choice(FILLERS)).rstrip('.')}.")
    return paper


def deed(lot: Lot) -> Paper:
    """The head of an agreement."""
    paper = Paper(lot)
    one, two = lot.firm(), lot.choice((lot.firm(), lot.person()))
    kind = lot.choice(
        (
            "DEED OF LEASE",
            "Rental Agreement",
            "NON-DISCLOSURE AGREEMENT",
            "Service Agreement",
            "LICENCE",
            "Contract of Supply",
        )
    )
    paper.add(kind, "")
    paper.facts |= {"lessor": one, "lessee": two, "event": kind}
    made = lot.date() if lot.odds(0.75) else ""
    if made:
        paper.facts["date"] = made
    roles = lot.choice(
        (
            ("Lessor", "Lessee"),
            ("Owner", "Tenant"),
            ("Disclosing Party", "Receiving Party"),
            ("Supplier", "Buyer"),
        )
    )
    on = f" on {made}" if made else ""
    paper.add(lot.choice((
        f'This {kind.title()} is made{on} between {one} (the "{roles[0]}") and {two} (the "{roles[1]}").',
        f"BETWEEN {one}, hereinafter the {roles[0]},\nAND {two}, hereinafter the {roles[1]},\n{('dated ' + made) if made else ''}",
        f"{'On ' + made + ', ' if on else ''}{one} as {roles[0]} and {two} as {roles[1]} have agreed:",
    )))  # fmt: skip
    paper.add(lot.text(lot.choice(FILLERS)))
    paper.maybe(
        0.5, "start", lot.date(), "[It takes effect on|The term begins on|Effective date:] {v}."
    )
    paper.maybe(0.35, "end", lot.date(), "[It ends on|It is valid until|Expiry:] {v}.")
    paper.maybe(
        0.6,
        "clause_period",
        lot.text(lot.choice(PERIODS)),
        "[The term is|It is made for|It holds for] {v}.",
    )
    paper.maybe(
        0.5,
        "clause_money",
        lot.money(),
        "[The price is|Rent:|The yearly fee comes to|Consideration:] {v}.",
    )
    paper.maybe(
        0.6,
        "law",
        lot.choice(
            (
                "the laws of India",
                "the laws of England",
                "the State of Ohio",
                "the law of Kenya",
                "Delaware",
                "the courts at Pune",
                "New York",
            )
        ),
        "[The law of this agreement:|It is subject to|Disputes fall under] {v}.",
    )
    return paper


def notice(lot: Lot) -> Paper:
    """What an office or a club tells people."""
    paper = Paper(lot)
    office = lot.text(
        "[Municipal Council of {city}|{city} Water Board|Residents' Association, {street}|{city} Public Library|{firm}|Office of the District Collector, {city}|Sports Club {city}]"
    )
    paper.tell("authority", office)
    paper.maybe(0.5, "number", lot.code(), "[Notice no.|Ref.|Circular]: {v}")
    paper.maybe(0.5, "date", lot.date(), "[Dated|Date|Issued]: {v}")
    what = lot.text(
        "[closure of the {street} bridge|annual meeting|power cut|vaccination camp|painting of the stairs|book sale|tree planting|cleaning of the tanks|parents' evening|flower show]"
    )
    paper.tell("event", what, "[Subject: {v}|Notice of the {v}|To all residents: {v}]")
    paper.shuffled(
        lambda: paper.maybe(
            0.8, "start", lot.date(), "[It takes place on|It begins on|On] {v}[ as planned|]."
        ),
        lambda: paper.maybe(
            0.6,
            "hours",
            lot.choice(
                (
                    "9 am to 5 pm",
                    "10:30 a.m.",
                    "from 8 to 12",
                    "18:00",
                    "6 in the evening",
                    "11 a.m. to 2 p.m.",
                )
            ),
            "[Hours|Time]: {v}",
        ),
        lambda: paper.maybe(
            0.6,
            "place",
            lot.text("[{street}|the town hall of {city}|Ward {m}|Block C|the school in {street}]"),
            "[Place|Venue|Area|Where]: {v}",
        ),
        lambda: paper.maybe(
            0.4, "fee", lot.money(), "[Entry|Fee|A charge of][: | ]{v}[ for guests|]"
        ),
        lambda: paper.maybe(
            0.5, "phone", lot.phone(), "[Questions|Help|Control room|Enquire at][: |: ]{v}"
        ),
        lambda: paper.maybe(
            0.3, "deadline", lot.date(), "[Names are taken until|Register by|Apply before] {v}."
        ),
    )
    paper.maybe(0.5, "sender", lot.person(), "{v}\n[Secretary|Executive Engineer|Chair]")
    return paper


def hindi_bill(lot: Lot) -> Paper:
    """A bill in Hindi."""
    paper = Paper(lot)
    paper.tell(
        "vendor",
        lot.choice(
            (
                "श्री गणेश किराना",
                "शर्मा इलेक्ट्रॉनिक्स",
                "अन्नपूर्णा भोजनालय",
                "जनता मेडिकल स्टोर",
                "विद्या पुस्तक भंडार",
                "रामदेव ट्रेडर्स",
                "न्यू भारत फर्नीचर",
                "गुप्ता एंड संस",
                "लक्ष्मी वस्त्रालय",
                "कृष्णा डेयरी",
            )
        ),
    )
    paper.maybe(
        0.6,
        "address",
        lot.choice(
            (
                "12, गांधी मार्ग, इंदौर",
                "स्टेशन रोड, पटना 800001",
                "सदर बाज़ार, आगरा",
                "नेहरू चौक, नागपुर",
                "एमजी रोड, जयपुर",
            )
        ),
    )
    paper.shuffled(
        lambda: paper.maybe(0.85, "number", lot.code(), "[बिल संख्या|बिल नं.|क्रमांक|रसीद संख्या]: {v}"),
        lambda: paper.maybe(
            0.85, "date", lot.choice((lot.hindi_date(), lot.date())), "[दिनांक|तारीख|तिथि]: {v}"
        ),
        lambda: paper.maybe(
            0.5,
            "buyer",
            lot.choice(("सुनीता देवी", "रमेश कुमार", "आशा वर्मा", "मोहन लाल", "अनिल यादव", "कविता सिंह")),
            "[ग्राहक|नाम|श्री/श्रीमती]: {v}",
        ),
        lambda: paper.maybe(0.4, "phone", lot.phone(), "[फ़ोन|दूरभाष|मोबाइल]: {v}"),
    )
    total = 0
    for thing in lot.some(
        ("चावल", "दाल", "साबुन", "कुर्सी", "पंखा", "कॉपी", "दवा", "साड़ी", "तेल", "चीनी", "आटा"), 1, 4
    ):
        price, count = lot.randint(10, 2000), lot.randint(1, 6)
        total += price * count
        paper.add(f"{thing} {count} x {price} = {price * count}")
    paper.maybe(0.4, "tax", f"{total * 0.05:.2f}", "[जीएसटी|कर]: {v}")
    paper.tell(
        "total",
        lot.choice(("₹{}", "रु. {}", "{} रुपये", "{}")).format(
            lot.choice((f"{total}", f"{total}.00", f"{total:,}"))
        ),
        "[कुल|कुल राशि|कुल योग|देय राशि]: {v}",
    )
    return paper


def hindi_notice(lot: Lot) -> Paper:
    """A notice in Hindi."""
    paper = Paper(lot)
    paper.tell(
        "authority",
        lot.choice(
            (
                "नगर निगम, उज्जैन",
                "जिला शिक्षा कार्यालय, कोटा",
                "विद्युत वितरण कंपनी",
                "ग्राम पंचायत सोनपुर",
                "राजकीय महाविद्यालय",
                "स्वास्थ्य केंद्र, रायगढ़",
            )
        ),
    )
    paper.maybe(0.5, "number", lot.code(), "[पत्र संख्या|आदेश क्रमांक|सूचना सं.]: {v}")
    paper.maybe(0.6, "date", lot.hindi_date(), "[दिनांक|तिथि]: {v}")
    paper.tell(
        "event",
        lot.choice(
            (
                "बिजली कटौती",
                "टीकाकरण शिविर",
                "सड़क निर्माण",
                "प्रवेश परीक्षा",
                "ग्राम सभा की बैठक",
                "रक्तदान शिविर",
                "मतदाता सूची का संशोधन",
            )
        ),
        "विषय: {v}",
    )
    paper.shuffled(
        lambda: paper.maybe(0.7, "start", lot.hindi_date(), "[यह कार्य|कार्यक्रम|यह] {v} को होगा।"),
        lambda: paper.maybe(
            0.5,
            "place",
            lot.choice(("सामुदायिक भवन", "वार्ड 5", "प्राथमिक विद्यालय", "बस अड्डा", "सुभाष मैदान")),
            "स्थान: {v}",
        ),
        lambda: paper.maybe(
            0.5,
            "hours",
            lot.choice(("सुबह 10 बजे", "शाम 4 बजे से 6 बजे", "दोपहर 12 बजे", "प्रातः 9 से 11 बजे")),
            "समय: {v}",
        ),
        lambda: paper.maybe(0.4, "fee", f"{lot.randint(10, 900)} रुपये", "[शुल्क|प्रवेश शुल्क]: {v}"),
        lambda: paper.maybe(0.5, "phone", lot.phone(), "[संपर्क|फ़ोन|हेल्पलाइन]: {v}"),
    )
    return paper


OTHER_SCRIPTS = (
    ("সরকার স্টোর্স|মা দুর্গা ভাণ্ডার|নিউ বেঙ্গল বুকস", "বিল নং", "তারিখ", "মোট"),
    ("முருகன் ஸ்டோர்ஸ்|அன்னை உணவகம்|சரஸ்வதி புத்தகம்", "பில் எண்", "தேதி", "மொத்தம்"),
    ("श्री समर्थ किराणा|गणेश मेडिकल|साई कापड दुकान", "बिल क्र.", "दिनांक", "एकूण"),
    ("శ్రీ వెంకటేశ్వర స్టోర్స్|లక్ష్మి హోటల్", "బిల్లు సంఖ్య", "తేదీ", "మొత్తం"),
    ("જય અંબે સ્ટોર|પટેલ ટ્રેડર્સ", "બિલ નં.", "તારીખ", "કુલ"),
    ("ಶ್ರೀ ಕೃಷ್ಣ ಸ್ಟೋರ್ಸ್|ಉಡುಪಿ ಹೋಟೆಲ್", "ಬಿಲ್ ಸಂಖ್ಯೆ", "ದಿನಾಂಕ", "ಒಟ್ಟು"),
)


def other_script(lot: Lot) -> Paper:
    """A short bill in another script of India."""
    firms, number, date, total = lot.choice(OTHER_SCRIPTS)
    paper = Paper(lot)
    paper.tell("vendor", lot.choice(firms.split("|")))
    paper.maybe(0.8, "number", lot.code(), f"{number}: {{v}}")
    paper.maybe(0.8, "date", lot.date(), f"{date}: {{v}}")
    paper.add(f"{lot.randint(1, 5)} x {lot.randint(10, 300)}")
    paper.tell("total", f"₹{lot.randint(20, 9000)}", f"{total}: {{v}}")
    paper.maybe(0.3, "phone", lot.phone(), "☎ {v}")
    return paper


def vacancy(lot: Lot) -> Paper:
    """A job advert."""
    paper = Paper(lot)
    post = lot.choice(
        (
            "Warehouse clerk",
            "Staff nurse",
            "Welder",
            "Junior accountant",
            "Site engineer",
            "Cook",
            "Maths teacher",
            "Night guard",
            "Data analyst",
            "Delivery driver",
        )
    )
    paper.tell("post", post, "[We are hiring: {v}|Vacancy: {v}|{v} wanted|{v} (m/f/d)]")
    paper.maybe(0.85, "vendor", lot.firm(), "[{v} is a firm that keeps growing.|Employer: {v}|{v}]")
    paper.shuffled(
        lambda: paper.maybe(
            0.7,
            "place",
            lot.choice(table("words")["city"]),
            "[Place of work|Location|Based in][: | ]{v}",
        ),
        lambda: paper.maybe(
            0.6,
            "salary",
            lot.choice(
                (
                    "Rs. 22,000 a month",
                    "£31,000 a year",
                    "₹4.5 lakh per annum",
                    "$19 an hour",
                    "40.000 EUR",
                    "15,000 to 18,000 rupees",
                )
            ),
            "[Salary|Pay|We pay][: | ]{v}",
        ),
        lambda: paper.maybe(
            0.6,
            "experience",
            lot.text("[{m} years|at least {m} years|one year|{m}+ years]"),
            "[Experience|Practice needed|You bring][: | ]{v}[ in a like post|]",
        ),
        lambda: paper.maybe(
            0.5, "deadline", lot.date(), "[Apply by|Closing date|Last date][: | ]{v}"
        ),
        lambda: paper.maybe(
            0.5,
            "email",
            f"{lot.choice(('jobs', 'hr', 'work'))}@{lot.choice(STEMS_MAIL)}.example",
            "[Send your CV to|Apply to|Write to][: | ]{v}",
        ),
        lambda: paper.maybe(0.3, "phone", lot.phone(), PHONE),
    )
    return paper


STEMS_MAIL = ("bellwood", "kaveri", "zenith", "orchard", "sagar", "fairlight", "dalton", "varun")


def clinic(lot: Lot) -> Paper:
    """A short medical note."""
    paper = Paper(lot)
    paper.maybe(
        0.6,
        "authority",
        lot.text("[{city} General Hospital|Sunrise Clinic|Dr Mehta's Practice|City Eye Centre]"),
    )
    paper.shuffled(
        lambda: paper.maybe(
            0.85, "patient", lot.person(), "[Patient|Name|Re][: |: ]{v}[, aged {n}|]"
        ),
        lambda: paper.maybe(0.7, "date", lot.date(), "[Seen on|Date|Visit][: | ]{v}"),
    )
    paper.maybe(
        0.75,
        "finding",
        lot.choice(
            (
                "mild asthma",
                "sprained ankle",
                "iron deficiency",
                "high blood pressure",
                "ear infection",
                "migraine",
                "seasonal allergy",
                "type 2 diabetes",
            )
        ),
        "[Diagnosis|Finding|Impression][: | ]{v}.",
    )
    paper.maybe(
        0.65,
        "medicine",
        lot.choice(
            (
                "Paracetamol 500 mg",
                "Amoxicillin 250 mg",
                "Ferrous sulphate",
                "Cetirizine 10 mg",
                "Metformin 500 mg",
                "Salbutamol inhaler",
            )
        ),
        "[Rx|Prescribed|Take][: | ]{v}[ twice a day| at night|].",
    )
    paper.add(
        lot.text(
            "[Rest and plenty of water.|No sport for {m} weeks.|Pulse {n}. Temperature normal.|Bring the old papers next time.]"
        )
    )
    paper.maybe(0.5, "deadline", lot.date(), "[Review on|Next visit][: | ]{v}")
    paper.maybe(0.6, "doctor", f"Dr {lot.person()}", "[Signed: |]{v}")
    return paper


def report(lot: Lot) -> Paper:
    """A few sentences of a report."""
    paper = Paper(lot)
    measure = lot.choice(
        (
            "water use",
            "visitor numbers",
            "scrap rate",
            "sales of tickets",
            "fuel consumption",
            "night shifts",
            "returns of goods",
            "average wait",
        )
    )
    value = lot.text(
        "[{n},{n}0 units|{n}.{m} per cent|{n} hours|{money}|{n},400 litres|{n} minutes]"
    )
    change = lot.text("[{m} per cent|{n} %|a third|{m}.{m} points|half]")
    paper.maybe(0.5, "vendor", lot.firm(), "[Report of|Prepared for|Quarterly figures,] {v}")
    paper.maybe(0.4, "date", lot.date(), "[As of|Date:] {v}")
    paper.tell("measure", measure, "[This note is about {v}.|We looked at {v}.|Subject: {v}]")
    paper.maybe(
        0.8,
        "value",
        value,
        "[It came to|The figure stood at|It was] {v} [in the last quarter|in {month}|this year].",
    )
    paper.maybe(0.7, "change", change, "[That is|It means] {v} [more|less|above plan|below plan].")
    paper.maybe(
        0.5,
        "reason",
        lot.text(
            "[a leaking pipe|the long winter|two broken machines|the new price list|a strike at the port|{m} more staff]"
        ),
        "[The cause is|It is put down to|Reason:] {v}.",
    )
    paper.maybe(0.4, "sender", lot.person(), "[Author|Written by|Signed][: | ]{v}")
    return paper


def power_bill(lot: Lot) -> Paper:
    """A bill for electricity, water or a phone."""
    paper = Paper(lot)
    paper.tell(
        "vendor",
        lot.text(
            "[{city} Power Supply|State Electricity Board|AquaCity Water|Orbit Telecom|Metro Gas]"
        ),
    )
    paper.shuffled(
        lambda: paper.maybe(
            0.8,
            "meter",
            lot.digits(8, 12),
            "[Consumer no.|Customer ID|Connection|Meter no.][: | ]{v}",
        ),
        lambda: paper.maybe(0.7, "buyer", lot.person(), "[Name|Customer|Account holder][: | ]{v}"),
        lambda: paper.maybe(0.7, "date", lot.date(), "[Bill date|Date of reading|Issued][: | ]{v}"),
        lambda: paper.maybe(0.7, "due", lot.date(), DUE),
        lambda: paper.maybe(
            0.7,
            "units",
            lot.text("[{n}{m} kWh|{n}{m} units|{n} m3|{n} GB]"),
            "[Consumption|Used|Units billed][: | ]{v}",
        ),
    )
    paper.add(lot.text("[Fixed charge|Meter rent|Arrears][: | ]{money}"))
    paper.tell("total", lot.money(), TOTAL)
    return paper


def fault(lot: Lot) -> Paper:
    """A note on a program that does not work."""
    paper = Paper(lot)
    paper.add(
        lot.text(
            "[The upload fails|Export to CSV hangs|The login loops|Pages stay blank|The job dies at night] [since {day}|after the update|now and then]."
        )
    )
    paper.shuffled(
        lambda: paper.maybe(
            0.7,
            "version",
            f"{lot.randint(1, 12)}.{lot.randint(0, 20)}.{lot.randint(0, 9)}",
            "[Version|Release|We run][: | ]{v}",
        ),
        lambda: paper.maybe(
            0.7,
            "error",
            lot.choice(
                (
                    f"E{lot.digits(3, 4)}",
                    f"HTTP {lot.choice((500, 502, 404, 413))}",
                    "ConnectionResetError",
                    "out of memory",
                    "KeyError: 'id'",
                    f"ORA-{lot.digits(5, 5)}",
                )
            ),
            "[Error|It says|In the log stands][: | ]{v}",
        ),
        lambda: paper.maybe(0.5, "sender", lot.person(), "[Reported by|From][: | ]{v}"),
        lambda: paper.maybe(0.5, "date", lot.date(), "[First seen|Since][: | ]{v}"),
        lambda: paper.maybe(
            0.4,
            "reason",
            lot.choice(
                ("a full disk", "an expired certificate", "wrong time zone", "a missing index")
            ),
            "[We suspect|Cause:] {v}",
        ),
    )
    return paper


PAPERS: Mapping[Callable[[Lot], Paper], int] = {
    invoice: 22,
    receipt: 26,
    letter: 9,
    clauses: 12,
    deed: 6,
    notice: 5,
    hindi_bill: 5,
    hindi_notice: 3,
    other_script: 3,
    vacancy: 4,
    clinic: 4,
    report: 4,
    power_bill: 4,
    fault: 3,
}
"""How often each is drawn, in a hundred or so."""
