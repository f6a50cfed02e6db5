"""Write the PDF samples: two invoices from the figures below, the lease from src/lease.txt.

    python samples/make_pdfs.py           write the files
    python samples/make_pdfs.py --check   compare them with what would be written

Needs fpdf2. Core fonts, a fixed date and no random ids: two runs give the same bytes.
Between paragraphs an invisible space is drawn on its own line, so that text extraction
gives a blank line there.
"""

import sys
from datetime import datetime, timezone
from pathlib import Path

from fpdf import FPDF

HERE = Path(__file__).resolve().parent
MADE = datetime(2026, 1, 1, tzinfo=timezone.utc)
FONT = "Helvetica"


class Page(FPDF):
    """An A4 document with the few moves that the samples need."""

    def __init__(
        self, title: str, footer: str, font: str = FONT, size: float = 10.5, margin: float = 22
    ):
        super().__init__(format="A4")
        self.footer_text, self.face, self.size = footer, font, size
        self.set_title(title)
        self.set_author("Docmill samples")
        self.set_creation_date(MADE)
        self.set_margins(margin, margin - 2, margin)
        self.set_auto_page_break(True, margin=24)
        self.alias_nb_pages()
        self.add_page()

    def footer(self) -> None:
        self.set_y(-16)
        self.set_font(self.face, "", 8.5)
        self.set_text_color(90)
        self.cell(0, 5, f"{self.footer_text} - page {self.page_no()} of {{nb}}", align="C")
        self.set_text_color(0)

    def gap(self, height: float = 3.2) -> None:
        """Leave a blank line that text extraction sees; none at the top of a page."""
        if self.get_y() > self.t_margin + 1 and self.get_y() + height < self.page_break_trigger:
            self.set_font(self.face, "", self.size)
            self.cell(0, height, " ", new_x="LMARGIN", new_y="NEXT")

    def para(
        self,
        text: str,
        *,
        style: str = "",
        size: float | None = None,
        align: str = "L",
        indent: float = 0,
        lead: float = 1.36,
        keep: float = 0,
    ) -> None:
        """Write one paragraph; start a new page when fewer than `keep` mm are left."""
        size = size or self.size
        self.set_font(self.face, style, size)
        line = size * 0.3528 * lead
        width = self.epw - indent
        lines = len(self.multi_cell(width, line, text, dry_run=True, output="LINES"))
        if self.will_page_break(line * min(lines, 2) + keep):  # no lonely first line
            self.add_page()
            self.set_font(self.face, style, size)
        self.set_x(self.l_margin + indent)
        self.multi_cell(width, line, text, align=align, new_x="LMARGIN", new_y="NEXT")

    def grid(
        self,
        rows: list[list[str]],
        widths: list[float],
        right: tuple[int, ...] = (),
        size: float = 9.5,
        line: float = 6.4,
    ) -> None:
        """Draw a table: the first row is its head."""
        if self.will_page_break(line * len(rows)):
            self.add_page()
        self.set_draw_color(150)
        for n, row in enumerate(rows):
            self.set_font(self.face, "B" if n == 0 else "", size)
            self.set_fill_color(232)
            for i, (text, width) in enumerate(zip(row, widths, strict=True)):
                self.cell(
                    width, line, text, border=1, fill=n == 0, align="R" if i in right else "L"
                )
            self.ln(line)

    def bytes(self) -> bytes:
        return bytes(self.output())


def lease() -> bytes:
    pdf = Page("Commercial lease deed, Unit 7", "Lease of Unit 7, Tanner's Yard", "Times", 12, 25)
    blocks = [b.strip() for b in (HERE / "src/lease.txt").read_text(encoding="utf-8").split("\n\n")]
    for block in filter(None, blocks):
        mark, _, rest = block.partition(" ")
        if block == "@page":
            pdf.add_page()
            continue
        pdf.gap()
        if mark == "!title":
            pdf.ln(14)
            pdf.para(rest, style="B", size=22, align="C")
            pdf.ln(4)
        elif mark == "!center":
            pdf.para(rest, align="C", size=12.5)
        elif mark == "!small":
            pdf.para(rest, size=11)
        elif mark == "##":
            pdf.para(rest, style="B", size=13, keep=16)
        elif mark == "|":
            rows = [[c.strip() for c in line.strip("| ").split("|")] for line in block.splitlines()]
            widths = [38, 38, 38, 42] if len(rows[0]) == 4 else [68, 66, 22]
            pdf.grid(rows, widths, size=10.5, line=6.8)
        elif block.startswith("("):
            pdf.para(block, indent=0 if block[1].isupper() or block[1].isdigit() else 9)
        else:
            pdf.para(
                block, keep=12 if block.endswith(":") else 0
            )  # stay with the list that follows
    return pdf.bytes()


def head(pdf: Page, name: str, lines: list[str], word: str) -> None:
    pdf.para(name, style="B", size=16)
    for line in lines:
        pdf.para(line, size=9.5)
    pdf.gap()
    pdf.para(word, style="B", size=14)
    pdf.gap()


def facts(pdf: Page, rows: list[tuple[str, str]]) -> None:
    for name, value in rows:
        pdf.para(f"{name}: {value}", size=10)
    pdf.gap()


def invoice_gst() -> bytes:
    pdf = Page("Tax invoice NST/2526/0418", "Neelkanta Studio Furnishings", size=10)
    head(
        pdf,
        "Neelkanta Studio Furnishings LLP",
        [
            "Shed 12, Weavers' Lane, Kothapur 411097, Maharashtra",
            "GSTIN: 27AAAAA0000A1Z5",
            "Phone: 020-5550-0148",
        ],
        "TAX INVOICE",
    )
    facts(
        pdf,
        [
            ("Invoice number", "NST/2526/0418"),
            ("Invoice date", "14 January 2026"),
            ("Due date", "13 February 2026"),
            ("Purchase order", "SB-PO-1177"),
            ("Place of supply", "Maharashtra (27)"),
        ],
    )
    pdf.para("Billed and delivered to:", style="B", size=10)
    pdf.para(
        "Saffron Bay Analytics Private Limited\n3rd Floor, Copper House, Mill Road, Kothapur 411096\n"
        "GSTIN: 27BBBBB0000B1Z4",
        size=10,
    )
    pdf.gap()
    pdf.grid(
        [
            ["Description", "HSN/SAC", "Qty", "Rate (Rs.)", "Amount (Rs.)"],
            ["Height-adjustable desk, 1400 mm", "9403", "6", "18,500.00", "1,11,000.00"],
            ["Task chair with mesh back", "9401", "10", "7,250.00", "72,500.00"],
            ["LED desk lamp with clamp", "9405", "10", "1,180.00", "11,800.00"],
            ["Delivery and assembly", "9987", "1", "6,400.00", "6,400.00"],
        ],
        [64, 22, 16, 30, 34],
        right=(2, 3, 4),
    )
    pdf.gap()
    for name, value in [
        ("Taxable value", "Rs. 2,01,700.00"),
        ("CGST at 9%", "Rs. 18,153.00"),
        ("SGST at 9%", "Rs. 18,153.00"),
    ]:
        pdf.para(f"{name}: {value}", align="R")
    pdf.para("Total: Rs. 2,38,006.00", style="B", size=12, align="R")
    pdf.gap()
    pdf.para("Amount in words: Rupees two lakh thirty-eight thousand and six only.")
    pdf.gap()
    pdf.para(
        "Payment within 30 days to Neelkanta Studio Furnishings LLP, account 000111222333, IFSC XXXX0000123. "
        "Interest at 1.5% a month is charged on late payment. Goods carry a warranty of 24 months from "
        "delivery; lamps 12 months. Tax is not payable on reverse charge."
    )
    pdf.gap()
    pdf.para("For Neelkanta Studio Furnishings LLP - authorised signatory")
    return pdf.bytes()


def invoice_usd() -> bytes:
    pdf = Page("Invoice LM-20631", "Larkmoor Instruments", size=10)
    head(
        pdf,
        "Larkmoor Instruments Inc.",
        [
            "880 Quarry Bend Road, Ashgrove, OR 97000, USA",
            "billing@larkmoor.example, +1 503 555 0162",
        ],
        "INVOICE",
    )
    facts(
        pdf,
        [
            ("Invoice no.", "LM-20631"),
            ("Date", "March 3, 2026"),
            ("Terms", "Net 30, due April 2, 2026"),
            ("Your reference", "Lab refit, lot 2"),
        ],
    )
    pdf.para("Bill to:", style="B", size=10)
    pdf.para("Pinegate Polytechnic Workshop\n17 Harbor Steps, Port Ellery, WA 98000", size=10)
    pdf.gap()
    pdf.grid(
        [
            ["Item", "Description", "Qty", "Unit price", "Amount"],
            ["LM-200", "Bench multimeter, 6.5 digits", "4", "$189.00", "$756.00"],
            ["LM-115", "Thermocouple probe, type K", "12", "$24.50", "$294.00"],
            ["LM-340", "Calibration weights, 1 g to 500 g", "1", "$412.75", "$412.75"],
            ["CB-09", "Shielded test lead, 2 m", "20", "$8.40", "$168.00"],
            ["SV-01", "On-site calibration, per hour", "6", "$95.00", "$570.00"],
            ["SP-77", "Spare fuse kit", "5", "$13.20", "$66.00"],
        ],
        [22, 70, 16, 28, 30],
        right=(2, 3, 4),
    )
    pdf.gap()
    for name, value in [
        ("Subtotal", "$2,266.75"),
        ("Volume discount 5%", "-$113.34"),
        ("Shipping", "$48.00"),
        ("Sales tax 6% on $2,153.41", "$129.20"),
    ]:
        pdf.para(f"{name}: {value}", align="R")
    pdf.para("Total due: $2,330.61", style="B", size=12, align="R")
    pdf.gap()
    pdf.para(
        "Please quote the invoice number with your transfer. Instruments were calibrated on February 26, 2026; "
        "certificates are in the lid of each case. Unopened items may be returned within 21 days."
    )
    return pdf.bytes()


FILES = {
    "invoice-furniture-gst.pdf": invoice_gst,
    "invoice-instruments-usd.pdf": invoice_usd,
    "lease-tanners-yard.pdf": lease,
}


def main(argv: list[str]) -> int:
    stale = 0
    for name, make in FILES.items():
        path, data = HERE / name, make()
        if "--check" in argv:
            same = path.is_file() and path.read_bytes() == data
            stale += not same
            print(f"{name}: {'same' if same else 'DIFFERS'}")
        else:
            path.write_bytes(data)
            print(f"{name}: {len(data):,} bytes")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
