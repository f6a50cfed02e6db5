"""A mail as a person reads it: who, to whom, when, about what; the text; what came with it."""

from dataclasses import dataclass, field

from worker.read.attached import Attached, File
from worker.read.kinds import Bounds, Text

HEADERS = ("From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Date", "Subject")
_MOST_NAMED = 100
# An HTML part of so many times the words of the text beside it says what the text leaves out.
_STUB = 4


def preferred(plain: str, page: str) -> str:
    """Of a mail in two forms, as text and as a page, the text, unless it is a stub beside it."""
    is_whole = plain.strip() and len(page.split()) <= _STUB * len(plain.split())
    return plain if is_whole or not page.strip() else page


@dataclass(slots=True)
class Letter:
    """One mail. `headers` in the order of `HEADERS`; `body` are its texts in their order."""

    headers: dict[str, str]
    body: list[str] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def _head(self) -> list[str]:
        return [f"{name}: {' '.join(said.split())}" for name, said in self.headers.items() if said]

    def as_mail(self) -> bytes:
        """The mail without its attachments, as a file to attach."""
        return "\n\n".join(["\n".join(self._head()), *self.body]).encode()

    def read(self, bounds: Bounds) -> Text:
        """The mail as a page, and its attachments as further ones."""
        head = self._head()
        if self.files:
            names = [file.name for file in self.files]
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            head.append(f"Attachments: {', '.join(names[:_MOST_NAMED])}{more}")
        pages = ["\n\n".join(filter(None, ["\n".join(head), *self.body]))]
        attached = Attached(pages, self.notes, bounds)
        attached.add(self.files)
        return attached.text()
