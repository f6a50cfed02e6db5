import pytest

from models.kinds import HTML
from worker.read.html import read
from worker.read.kinds import Bounds, read_document


def whole(source: str) -> str:
    return read(source.encode(), "a.html", Bounds()).whole


def test_scripts_styles_and_comments_are_dropped():
    source = "<style>p{}</style><p>Seen<script>var a = '<p>no</p>';</script><!-- no --></p>"
    assert whole(source) == "Seen"


def test_blocks_stand_apart_by_a_blank_line_and_the_title_comes_first():
    source = "<title>Deed</title><h1>One</h1><p>two\n  three</p><div><div>four</div></div>five"
    assert whole(source) == "Deed\n\nOne\n\ntwo three\n\nfour\n\nfive"


def test_inline_tags_do_not_break_words_or_lines():
    assert whole("<p>a <b>b</b><i>c</i> d</p>") == "a bc d"


def test_line_breaks_and_list_items_are_lines():
    assert whole("<p>a<br>b</p><ul><li>c</li><li>d</li></ul>") == "a\nb\n\nc\nd"


def test_a_table_is_markdown_and_a_row_stays_on_one_line():
    source = """<table>
      <tr><th>Name</th><th>Amount</th></tr>
      <tr><td><p>Asha</p><p>Rao</p></td>
          <td>100</td></tr>
    </table>"""
    assert whole(source) == "| Name | Amount |\n|---|---|\n| Asha Rao | 100 |"


def test_a_table_that_only_lays_out_the_page_is_read_as_blocks():
    source = "<table><tr><td>Menu</td><td><table><tr><td>a</td><td>b</td></tr></table></td></tr>"
    assert whole(source) == "Menu\n\na | b"


def test_preformatted_text_keeps_its_lines_and_spaces():
    assert whole("<p>x</p><pre>def f():\n    return 1\n\nf()</pre>") == (
        "x\n\ndef f():\n    return 1\n\nf()"
    )


def test_entities_are_decoded():
    assert whole("<p>A &amp; B&nbsp;&#8377;5</p>") == "A & B\xa0₹5"


def test_the_declared_encoding_is_used():
    source = '<meta charset="windows-1251"><p>Все люди рождаются</p>'
    assert read(source.encode("cp1251"), "a.html", Bounds()).whole == "Все люди рождаются"


@pytest.mark.parametrize(
    ("label", "encoding", "text"),
    [
        ("iso-8859-1", "cp1252", "Total € 1,200 – “ACME” don’t"),
        ("gb2312", "gbk", "朱镕基 5000 元"),
        ("Shift_JIS", "cp932", "①髙橋"),
        ("euc-kr", "cp949", "똠방각하"),
    ],
)
def test_a_declared_encoding_is_read_as_browsers_read_its_label(label, encoding, text):
    source = f"<html><head><meta charset='{label}'></head><body><p>{text}</p></body></html>"
    assert read(source.encode(encoding), "a.html", Bounds()).whole == text


def test_what_a_browser_would_not_show_is_not_read():
    source = (
        "<p>seen</p><p hidden>a</p><div style='display:none'><b>b</b></div>"
        "<p style='color: red; Display : NONE'>c</p><p style='visibility:hidden'>d</p>"
        "<p style='display: block'>too</p>"
    )
    assert whole(source) == "seen\n\ntoo"


def test_what_the_fields_of_a_form_show_is_read():
    source = (
        "<p>Name <input value='Asha Rao'> <input type=hidden value=token>"
        "<input type=PASSWORD value=secret></p>"
        "<p><input type=radio checked> owner <input type=radio> tenant</p>"
        "<p>in <select><option>Germany<option selected>France</select>"
        " or <select><option><!-- no -->first<option>second</select>"
        " or <select multiple><option selected>a</option><option>b</option>"
        "<option selected>c</option></select></p><p><textarea>as \n typed</textarea></p>"
    )
    assert whole(source) == (
        "Name Asha Rao\n\n[x] owner [ ] tenant\n\nin France or first or a, c\n\nas \n typed"
    )


def test_formulas_are_read_in_one_line():
    source = (
        "<p>so <math><mi>x</mi><mo>=</mo><mfrac><mn>1</mn><mn>2</mn></mfrac><mo>+</mo>"
        "<msup><mi>a</mi><mn>2</mn></msup><annotation>x=\\frac12</annotation></math></p>"
    )
    assert whole(source) == "so x=1/2+a^2"


def test_the_words_of_a_drawing_are_lines():
    source = (
        "<p>Sales</p><svg><title>a chart</title><desc>of sales</desc><defs><text>no</text></defs>"
        "<path d='M0'/><text>North <tspan x=0>12</tspan><tspan>kg</tspan></text><text>South</text>"
        "</svg>"
    )
    assert whole(source) == "Sales\n\nNorth 12 kg\nSouth"


def test_a_false_declaration_does_not_spoil_utf8():
    source = '<meta charset="iso-8859-1"><p>अधिकार</p>'
    assert whole(source) == "अधिकार"


@pytest.mark.parametrize(
    "source", ["", "<", "<p", "</p></div>", "<!--", "<![CDATA[x]]>", "<table><td>"]
)
def test_broken_markup_is_no_error(source):
    assert isinstance(whole(source), str)


def test_deep_nesting_is_no_error():
    assert whole("<div>" * 3000 + "deep") == "deep"


def test_the_media_type_leads_here():
    assert read_document(b"<p>a</p><p>b</p>", HTML, "a").whole == "a\n\nb"
