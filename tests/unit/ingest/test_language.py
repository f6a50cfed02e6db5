import re
from pathlib import Path

import pytest

from worker.ingest.language import language

DATA = Path(__file__).parents[3] / ".." / "shared" / "data" / "indic_text"
UDHR = {
    "ben": "bn", "guj": "gu", "hin": "hi", "kan": "kn",
    "mal": "ml", "mar": "mr", "tam": "ta", "tel": "te",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("All human beings are born free.", "en"),
        ("सभी मनुष्यों को गौरव और अधिकार प्राप्त हैं।", "hi"),
        ("सर्व मानवी व्यक्ति जन्मतःच स्वतंत्र आहेत.", "mr"),
        ("बाळ शाळा फळ", "mr"),
        ("সমস্ত মানুষ স্বাধীনভাবে জন্মগ্রহণ করে।", "bn"),
        ("সকলো মানুহে স্বাধীনভাৱে জন্মগ্ৰহণ কৰে।", "as"),
        ("ਸਾਰਾ ਮਨੁੱਖੀ ਪਰਿਵਾਰ", "pa"),
        ("પ્રતિષ્ઠા અને અધિકારો", "gu"),
        ("ସବୁ ମନୁଷ୍ୟ ଜନ୍ମକାଳରୁ ସ୍ୱାଧୀନ", "or"),
        ("மனிதப் பிறவியினர்", "ta"),
        ("ప్రతిపత్తిస్వత్వముల", "te"),
        ("ಎಲ್ಲಾ ಮಾನವರೂ ಸ್ವತಂತ್ರರಾಗಿಯೇ", "kn"),
        ("മനുഷ്യരെല്ലാവരും", "ml"),
        ("تمام انسان آزاد پیدا ہوئے ہیں", "ur"),
        ("تمام افراد بشر آزاد به دنیا می‌آیند و گرامی‌اند", "fa"),
        ("يولد جميع الناس أحرارا", "ar"),
        ("人人生而自由", "zh"),
        ("すべての人間は、生まれながらにして自由であり", "ja"),
        ("日本国憲法第九条について", "ja"),
        ("모든 인간은 태어날 때부터 自由로우며", "ko"),
        ("Все люди рождаются свободными", "ru"),
        ("Όλοι οι άνθρωποι", "el"),
        ("มนุษย์ทั้งหลาย", "th"),
    ],
)
def test_each_script_tells_its_language(text, code):
    assert language(text) == code


@pytest.mark.parametrize("text", ["", " \n", "12/03/2018 - 100.90", "* * *", "ᚠᚢᚦ"])
def test_a_text_without_known_letters_has_no_language(text):
    assert language(text) is None


def test_the_script_with_the_most_letters_wins():
    assert language("GST invoice: सभी मनुष्यों को गौरव और अधिकार प्राप्त हैं") == "hi"
    assert language("The word सत्य stands on the State Emblem of India") == "en"


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data is not here")
@pytest.mark.parametrize(("file", "code"), UDHR.items())
def test_98_of_100_paragraphs_of_the_human_rights_declaration_are_told_right(file, code):
    text = (DATA / f"udhr_{file}.txt").read_text("utf-8")
    paragraphs = [part for part in re.split(r"\n\s*\n", text) if part.strip()]
    right = sum(language(paragraph) == code for paragraph in paragraphs)
    assert right >= 0.98 * len(paragraphs)
