"""PDFs for tests: with text, pictures, locks and damage."""

import base64
import io

from fpdf import FPDF

LETTER = "Dear Sir or Madam, we thank you for your letter of the third of this month."

_GREY_DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


def made(*pages: str, password: str | None = None, owner: str | None = None) -> bytes:
    """A page for each text; with an owner it is locked."""
    pdf = FPDF()
    pdf.set_font("helvetica", size=12)
    if owner:
        pdf.set_encryption(owner_password=owner, user_password=password)
    for text in pages:
        pdf.add_page()
        pdf.multi_cell(w=0, text=text)
    return bytes(pdf.output())


def picture(width: float, height: float, *, text: str = "", pages: int = 1) -> bytes:
    """Pages (A4, 210 x 297 mm) that show a picture of this size in mm, the first with a text."""
    pdf = FPDF()
    pdf.set_font("helvetica", size=12)
    for number in range(pages):
        pdf.add_page()
        pdf.image(io.BytesIO(_GREY_DOT), x=0, y=20, w=width, h=height)
        if text and number == 0:
            pdf.multi_cell(w=0, text=text)
    return bytes(pdf.output())


def break_page(data: bytes, number: int) -> bytes:
    """The number-th content stream names a filter of the same length that does not exist."""
    parts = data.split(b"/FlateDecode")
    return (
        b"/FlateDecode".join(parts[:number])
        + b"/FlateDecodX"
        + b"/FlateDecode".join(parts[number:])
    )
