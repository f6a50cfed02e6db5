"""Images: pages that are only to be seen. Everything that opens them is here, by Pillow.

PNG, JPEG and WebP hold one page; of an animation that is its first frame. TIFF may hold many.
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from PIL import Image, ImageOps

from models import kinds
from models.errors import ReadError
from worker.read.kinds import Bounds, NeedsOcr, Scan, Text, Why, damaged, gaps, too_many_pages

LOGO = 100
"""In pixels: what is attached to a mail and has a shorter side is a logo, and no page."""

_FORMATS = {kinds.PNG: "PNG", kinds.JPEG: "JPEG", kinds.TIFF: "TIFF", kinds.WEBP: "WEBP"}
_KINDS = {form: kind for kind, form in _FORMATS.items()}
_MEGAPIXEL = 1_000_000
_OF_16_BITS = 1 / 256
Image.MAX_IMAGE_PIXELS = None  # `picture` has a limit of its own


def read(data: bytes, name: str, bounds: Bounds) -> Text:
    """Count the pages of an image. Raises NeedsOcr, unless it is but a logo, and ReadError
    `damaged` or `too_many_pages`."""
    with _opened(data, name) as image:
        kind = _KINDS[image.format or ""]
        pages = int(getattr(image, "n_frames", 1)) if kind == kinds.TIFF else 1
        if pages > bounds.pages:
            raise too_many_pages(name, pages, bounds.pages)
        if bounds.depth and min(image.size) < LOGO:
            return Text.of([""])
    numbers = range(1, pages + 1)
    text = Text.of(
        [""] * pages,
        gaps=gaps(dict.fromkeys(numbers, Why.NEEDS_OCR)),
        scans=[Scan(number, data, kind, number) for number in numbers],
    )
    raise NeedsOcr(
        f"{name}: {pages} pages are pictures" if pages > 1 else f"{name} is a picture", text
    )


def picture(data: bytes, name: str, number: int, megapixels: int, wanted: int) -> Image.Image:
    """Page `number`, from 0, upright, on white, with `wanted` pixels where it has more.

    Raises ReadError `damaged`, or `too_large` where there are more than so many megapixels.
    """
    with _opened(data, name) as image:
        if number:
            image.seek(number)
        width, height = image.size
        if width * height > megapixels * _MEGAPIXEL:
            raise _too_large(name, width, height, megapixels)
        shrink = math.sqrt(min(1.0, wanted / (width * height)))
        image.draft(
            "RGB", (round(width * shrink), round(height * shrink))
        )  # of a JPEG: decode less
        upright = _flat(ImageOps.exif_transpose(image))
    shrink = math.sqrt(min(1.0, wanted / (upright.width * upright.height)))
    size = max(1, round(upright.width * shrink)), max(1, round(upright.height * shrink))
    return upright.resize(size, Image.Resampling.LANCZOS)


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[Image.Image]:
    """What Pillow raises for damage has no one class."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damage that it can live with
            with Image.open(BytesIO(data), formats=list(_KINDS)) as image:
                yield image
    except (MemoryError, ReadError):
        raise
    except Exception as error:
        raise damaged(name, error) from error


def _flat(image: Image.Image) -> Image.Image:
    """In colours of 8 bits, on white where it is transparent."""
    if image.mode.startswith("I"):
        image = image.point(lambda value: value * _OF_16_BITS)
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image.convert("RGBA"))
    return image.convert("RGB")


def _too_large(name: str, width: int, height: int, megapixels: int) -> ReadError:
    message = (
        f"{name} has {width:,} x {height:,} pixels; the limit is {megapixels} million "
        "(limits.ocr_megapixels)"
    )
    return ReadError("too_large", message)
