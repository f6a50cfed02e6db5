"""Pictures of text for tests: drawn by pdfium, kept by Pillow."""

import io

import pypdfium2  # noqa: TID251
from PIL import Image

from tests.pdfs import made

SIZE = (1240, 1754)
"""In pixels: A4 at 150 dots an inch."""


def drawn(*pages: str) -> list[Image.Image]:
    """A picture of a page for each text."""
    with pypdfium2.PdfDocument(made(*pages)) as document:
        return [page.render(scale=150 / 72).to_pil().convert("L") for page in document]


def image(form: str, *pages: str, **how: object) -> bytes:
    """An image in this form of Pillow's; TIFF may have several pages."""
    first, *more = drawn(*pages)
    out = io.BytesIO()
    several = {"save_all": True, "append_images": more} if more else {}
    first.save(out, form, **several, **how)
    return out.getvalue()


def scanned(*pages: str) -> bytes:
    """A PDF whose pages are pictures."""
    return image("PDF", *pages, resolution=150)
