"""A page as people see it, for whoever reads pictures. Runs in child processes."""

from io import BytesIO

from PIL import Image

from models.kinds import JPEG, PDF
from worker.read import pdfium
from worker.read.blank import is_blank
from worker.read.kinds import Scan, Text, damaged
from worker.read.picture import picture
from worker.read.reading import Damaged

SHOWN_PIXELS = 1_600_000
"""Of a page that a model is shown: 1,060 x 1,500 of A4. Models scale down what is larger."""

_QUALITY = 90


def drawn(
    data: bytes, media_type: str, name: str, number: int, megapixels: int, pixels: int
) -> Image.Image:
    """Page `number`, from 0, of a PDF or an image of at most so many megapixels, with about so many
    pixels. Raises ReadError."""
    if media_type != PDF:
        return picture(data, name, number, megapixels, pixels)
    try:
        with pdfium.Document(data) as document:
            return document.picture(number, pixels)
    except Damaged as error:
        raise damaged(name, error) from error


def shown(data: bytes, media_type: str, name: str, number: int, megapixels: int) -> Text:
    """Draw page `number`, from 0, for a model. See `ocr.show_scan`."""
    image = drawn(data, media_type, name, number, megapixels, SHOWN_PIXELS)
    if is_blank(image):
        return Text.of([""])
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return Text.of([""], scans=[Scan(1, buffer.getvalue(), JPEG, 1)])
