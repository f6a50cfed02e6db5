"""Mail: what a person reads, whatever it was wrapped in."""

import base64
import quopri

import pytest

from models.config import PinConfig
from models.kinds import DOCX, HTML, JSON, MAIL, OUTLOOK, PLAIN, XML
from tests import office, pdfs
from worker.ingest.chunk import chunk
from worker.ingest.private import Pins
from worker.read import mail
from worker.read.kinds import Gap, Text, Why, read_document

HEAD = b"From: a@example.org\r\nTo: b@example.org\r\nMIME-Version: 1.0\r\n"


def read(data: bytes, kind: str = MAIL) -> Text:
    return read_document(data, kind, "a.eml")


def part(kind: str, body: str, *more: str) -> bytes:
    head = "\r\n".join([f"Content-Type: {kind}", *more])
    return f"{head}\r\n\r\n{body}\r\n".encode()


def multipart(kind: str, *parts: bytes) -> bytes:
    edge = f"--{sum(map(len, parts))}"  # none of a part within it
    head = f'Content-Type: multipart/{kind}; boundary="{edge[2:]}"\r\n\r\n'.encode()
    joined = b"".join(f"{edge}\r\n".encode() + one + b"\r\n" for one in parts)
    return HEAD + head + joined + f"{edge}--".encode()


def test_a_mail_is_its_headers_and_its_text():
    assert read(office.mail("Dear Asha,\n\nthe rent is due.\n")).whole == (
        "From: Asha Rao <asha@example.org>\nTo: Büro <office@example.org>\n"
        "Date: Wed, 14 Jan 2026 09:30:00 +0530\n"
        f"Subject: {office.SUBJECT}\n\nDear Asha,\n\nthe rent is due."
    )


@pytest.mark.parametrize("cte", ["7bit", "8bit", "quoted-printable", "base64"])
def test_every_transfer_encoding_reads_the_same(cte):
    body = "Total 5000 EUR = half of it, and a long line " + "of many words " * 20
    assert read(office.mail(body, cte=cte)).whole.endswith(body)


@pytest.mark.parametrize(
    ("charset", "encoding", "text"),
    [
        ("utf-8", "utf-8", "Müller, 5 €"),
        ("iso-8859-1", "cp1252", "Miete € 1.200 – “fällig”"),
        ("us-ascii", "cp1252", "Müller, 5 €"),
        ("gb2312", "gbk", "朱镕基 5000"),
        ("iso-2022-jp", "iso-2022-jp", "家賃は五千円"),
    ],
)
def test_the_charset_of_a_part_is_heeded_as_mail_programs_mean_it(charset, encoding, text):
    body = base64.b64encode(text.encode(encoding))
    head = f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: base64"
    assert read(HEAD + f"{head}\r\n\r\n".encode() + body).pages[0].text.endswith(text)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"=?utf-8?Q?B=C3=BCro?=", "Büro"),
        (b"=?utf-8?B?QsO8?=\r\n =?UTF-8?b?cm8=?=", "Büro"),
        (b"=?utf-8?b?4KSV4KQ=?=\r\n =?utf-8?b?vw==?= x", "कि x"),  # a letter cut in two
        (b"=?gb2312?B?" + base64.b64encode("朱镕基".encode("gbk")) + b"?=", "朱镕基"),
        ("Büro".encode(), "Büro"),
        ("Büro".encode("latin-1"), "Büro"),
        (b"a =?nonsense?Q?b?= c", "a b c"),
        (b"=?utf-8?X?b?=", "=?utf-8?X?b?="),
    ],
)
def test_headers_are_decoded_however_they_are_written(raw, said):
    assert f"Subject: {said}" in read(HEAD + b"Subject: " + raw + b"\r\n\r\nx").whole.splitlines()


def test_text_is_preferred_to_html_unless_it_is_a_stub():
    plain, page = part("text/plain", "The rent is 5000."), part("text/html", "<b>6000</b>")
    assert "6000" not in read(multipart("alternative", plain, page)).whole
    full = "<p>" + "The whole offer, with all of its terms. " * 5 + "</p>"
    stub = part("text/plain", "Please use an HTML reader.")
    assert "all of its terms" in read(multipart("alternative", stub, part("text/html", full))).whole


def test_html_with_its_pictures_is_text_and_the_pictures_are_no_attachments():
    assert read(office.web_archive()).whole.splitlines()[0] == "From: <Saved by a browser>"
    assert "Attachments" not in read(office.web_archive()).whole


def test_everything_beside_a_page_that_holds_its_parts_is_read_or_said():
    text = read(
        multipart(
            "related",
            part("text/html", "<p>hello</p>"),
            part("text/plain", "SECOND TEXT total 400"),
            MESSAGE + b"From: q@example.org\r\n\r\nINNER MAIL\r\n",
            part("application/pdf", pdfs.made("UNNAMED").decode("latin-1")),
            part("image/png; name=pic.png", "abc", "Content-ID: <1>"),
            part("text/css", "p {}"),
            multipart("mixed", part("text/plain", "MIXED INSIDE")).removeprefix(HEAD),
        )
    )
    said = ("hello", "SECOND TEXT total 400", "MIXED INSIDE", "INNER MAIL")
    assert [word for word in said if word not in text.whole] == []
    assert "Attachments: part 1.eml, part 2.pdf" in text.pages[0].text
    assert text.notes[0] == "1 pictures that the mail shows in its text are not read"


def test_parts_beyond_the_most_are_noted(monkeypatch):
    monkeypatch.setattr(mail, "_MOST_PARTS", 10)
    text = read(multipart("mixed", *(part("text/plain", f"p{n}") for n in range(12))))
    assert "p8" in text.whole  # the mail itself is a part
    assert "p9" not in text.whole
    assert text.notes == ("the mail has more than 10 parts: those beyond are not read",)


def test_the_report_of_a_server_is_read():
    status = "Reporting-MTA: dns; mx\r\n\r\nFinal-Recipient: rfc822; b@example.org\r\nStatus: 5.1.1"
    text = read(multipart("report", part("message/delivery-status", status)))
    assert "Final-Recipient: rfc822; b@example.org\nStatus: 5.1.1" in text.whole


def test_attachments_are_named_and_are_pages_under_their_names():
    files = {
        "order.csv": office.delimited(office.ROWS),
        "lease.docx": office.word(),
        "scan.pdf": pdfs.made("One.", "Two."),
        "all.zip": office.zipped(
            {"in/note.txt": office.NOTE, "deep.zip": office.zipped({"x": "y"})}
        ),
    }
    first, *pages = [page.text for page in read(office.mail(files=files)).pages]
    assert "Attachments: order.csv, lease.docx, scan.pdf, all.zip" in first
    assert [page.split("\n")[0] for page in pages] == [
        "Attachment: order.csv",
        "Attachment: lease.docx",
        "Attachment: scan.pdf",
        "Two.",
        "Attachment: all.zip/in/note.txt",
        "Attachment: all.zip/deep.zip/x",
    ]
    assert "| Compressor oil | 12 | 1,240.50 |" in pages[0]
    assert office.PROSE[1] in pages[1]


def test_an_attachment_that_could_have_been_read_is_missing_and_a_picture_is_not():
    files = {
        "photo.gif": b"GIF89a" + b"a" * 99,
        "broken.docx": office.repacked(office.word(), {"word/document.xml": "<a>"}),
        "scan.pdf": pdfs.picture(200, 250),
        "fine.txt": b"fine",
    }
    text = read(office.mail(files=files))
    assert text.gaps == (Gap(Why.NEEDS_OCR, "3"), Gap(Why.UNREADABLE, "2"))
    assert text.pages[2].text == "Attachment: scan.pdf"


LOCKED_ZIP = office.zipped({"a": "b"}).replace(b"PK\1\2\x14\3\x14\0\0", b"PK\1\2\x14\3\x14\0\1")


def test_what_cannot_be_read_of_an_attachment_is_noted_and_the_rest_is_read():
    files = {
        "photo.gif": b"GIF89a" + b"a" * 99,
        "broken.docx": office.repacked(office.word(), {"word/document.xml": "<a>"}),
        "bomb.gz": office.PACKERS["gz"](bytes(64 << 20)),
        "cut.zip": office.zipped({"a": "b" * 99})[:60],
        "locked.zip": LOCKED_ZIP,
        "empty.txt": b"",
        "fine.txt": b"fine",
    }
    text = read(office.mail(files=files))
    assert text.whole.endswith("Attachment: fine.txt\n\nfine")
    (gap,) = text.gaps
    assert gap.why is Why.UNREADABLE
    lost = [text.pages[number - 1].text for number in gap.numbers]
    assert list(map(name_in, lost)) == ["broken.docx", "bomb.gz", "cut.zip", "locked.zip"]
    assert [name_in(note) for note in text.notes] == list(files)[:-1]
    assert all(note.startswith("attachment not read: ") for note in text.notes)


def name_in(note: str) -> str:
    return note.partition(": ")[2].split()[0].partition("/")[0]


MESSAGE = b"Content-Type: message/rfc822\r\n\r\n"


def test_a_mail_within_a_mail_is_read_to_some_depth():
    inner = office.mail("The heart of it.", files={"a.txt": b"deepest"}, subject="Inner")
    for _ in range(6):
        inner = multipart("mixed", part("text/plain", "outer"), MESSAGE + inner)
    text = read(inner)
    assert text.notes == ("attachment not read: part 1.eml is nested too deeply",)
    assert text.gaps == (Gap(Why.UNREADABLE, str(len(text.pages))),)
    outer = multipart("mixed", MESSAGE + office.mail("Heart."))
    assert "Heart." in read(outer).whole


def test_lines_of_flowed_text_go_on():
    body = "The PAN is ABCPE1234F, the \r\nrent 5000.\r\n-- \r\nAsha"
    data = HEAD + part("text/plain; format=flowed", body)
    assert read(data).whole.endswith("The PAN is ABCPE1234F, the rent 5000.\n-- \nAsha")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\0",
        HEAD,
        HEAD + b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\nno end',
        HEAD + b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n!!!!",
        HEAD + b"Content-Type: text/plain; charset=\xff\xff\r\n\r\nx",
        HEAD + b"Content-Type: ;;;\r\nContent-Disposition: attachment; filename*=x'y\r\n\r\nx",
        HEAD + b"Date: nonsense\r\nFrom \r\n: :\r\n\r\nx",
    ],
)
def test_broken_mail_is_no_error(data):
    assert isinstance(read(data).whole, str)


def test_encrypted_parts_are_noted():
    data = HEAD + part("application/pkcs7-mime; smime-type=enveloped-data", "AAAA")
    assert read(data).notes == ("a part of the mail is encrypted or signed, and not read",)


def test_an_outlook_mail_is_read_like_any_other():
    text = read(office.outlook(files={"order.csv": office.delimited(office.ROWS)}), OUTLOOK)
    head = text.pages[0].text.split("\n\n")[0].splitlines()
    assert head == [
        "From: Asha Rao <asha@example.org>",
        "To: Büro (office@example.org)",
        "Date: 2026-01-14 08:30 UTC",
        f"Subject: {office.SUBJECT}",
        "Attachments: order.csv, Earlier mail.eml",
    ]
    assert "| Door seal | 3 | 88.00 |" in text.pages[1].text
    assert office.NOTE in text.pages[2].text


def test_an_outlook_mail_whose_text_is_a_stub_is_read_as_its_page():
    page = "<p>" + "The whole offer, with all of its terms. " * 5 + "</p>"
    text = read(office.outlook("Please use an HTML reader.", page=page), OUTLOOK).whole
    assert "all of its terms" in text
    assert "5000" not in read(office.outlook("The rent.", page="<b>5000"), OUTLOOK).whole


# --- private data ---------------------------------------------------------------------------------

PRIVATE = (
    "Please pay the deposit of the tenant Asha Rao, whose PAN is ABCPE1234F, from the account with "
    "IFSC HDFC0001234; her Aadhaar is 2345 6789 0124 and her number +91 98765 43210."
)
QUOTED = quopri.encodestring(PRIVATE.encode()).decode()
LETTERS = "".join(f"<w:r><w:t xml:space='preserve'>{sign}</w:t></w:r>" for sign in PRIVATE)
BROKEN = f"<w:r><w:t>{PRIVATE.replace('ABCPE', 'ABCPE</w:t><w:br/><w:t>')}</w:t></w:r>"
SPLIT = QUOTED.replace("ABCPE1234F", "ABCPE=\r\n1234F")
ESCAPED = "".join(f"\\u{ord(sign):04x}" for sign in PRIVATE)
ENTITIES = "".join(f"&#{ord(sign)};" for sign in PRIVATE)
JSON_ENDS = ("}", ",}", "}\n{broken\n", "")  # the first is JSON, the others are nearly so
LINES = (
    PRIVATE.replace("PAN is ", "PAN:\\n").replace("IFSC ", "IFSC\\n").replace("98765 ", "98765\\t")
)


def mailed(body: str, encoding: str) -> bytes:
    return HEAD + part("text/plain; charset=utf-8", body, f"Content-Transfer-Encoding: {encoding}")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (PLAIN, PRIVATE.encode()),
        (MAIL, mailed(PRIVATE, "7bit")),
        (MAIL, mailed(base64.encodebytes(PRIVATE.encode()).decode(), "base64")),
        (MAIL, mailed(QUOTED, "quoted-printable")),
        (MAIL, mailed(SPLIT, "quoted-printable")),
        (MAIL, office.mail("see there", html=f"<p>{PRIVATE.replace('AB', '<b>AB</b>')}</p>" * 3)),
        (MAIL, office.mail("see there", files={"a.docx": office.word([PRIVATE])})),
        (MAIL, office.mail("see there", files={"a.zip": office.zipped({"a.txt": PRIVATE})})),
        (HTML, f"<p>{PRIVATE.replace('PE', '<i>PE</i>')}</p>".encode()),
        (DOCX, office.word([PRIVATE], rows=())),
        (DOCX, office.word_of(f"<w:p>{LETTERS}</w:p>")),
        (OUTLOOK, office.outlook(PRIVATE)),
        (PLAIN, PRIVATE.replace("ABCPE1234F", "ABCPE\n1234F").encode()),
        (MAIL, mailed(PRIVATE.replace("HDFC0", "HDFC0-\r\n"), "7bit")),
        (DOCX, office.word_of(f"<w:p>{BROKEN}</w:p>")),
        (PLAIN, PRIVATE.replace("6789 ", "6789\n").replace("98765 ", "98765\n").encode()),
        *(
            (JSON, f'{{"note": "{said}"{end}'.encode())
            for said in (ESCAPED, LINES)
            for end in JSON_ENDS
        ),
        *((XML, f"<a>{ENTITIES}{end}".encode()) for end in ("</a>", "&nbsp;</a>", "")),
    ],
)
def test_the_same_private_sentence_is_pinned_however_it_comes(kind, data):
    text = read_document(data, kind, "a")
    reasons = Pins(PinConfig(patterns=["pan", "ifsc", "phone"])).reasons(chunk(text, 800))
    found = {name for why in reasons if why for name in why.split(", ")}
    assert found == {"pan", "ifsc", "phone"}


def test_words_of_an_attached_pdf_stand_behind_the_heading_of_their_attachment():
    attached = pdfs.made("Total 42", "Page two")
    text = read(office.mail(files={"bill.pdf": attached}))
    words = [page.text[word.start : word.end] for page in text.pages for word in page.boxes or ()]
    assert words == ["Total", "42", "Page", "two"]
