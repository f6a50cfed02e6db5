"""Which language a text is in, told by its script. Pure; no model, no data files."""

import re
from bisect import bisect_right
from collections import Counter
from functools import lru_cache

# First code points of runs of letters, each with its script ("" where we know no language).
_BLOCKS: tuple[tuple[int, str], ...] = (
    (0x0000, "Latin"),
    (0x0370, "el"),
    (0x0400, "ru"),
    (0x0530, "hy"),
    (0x0590, "he"),
    (0x0600, "Arabic"),
    (0x0700, ""),
    (0x0750, "Arabic"),
    (0x0780, "dv"),
    (0x07C0, ""),
    (0x0870, "Arabic"),
    (0x0900, "Devanagari"),
    (0x0980, "Bengali"),
    (0x0A00, "pa"),
    (0x0A80, "gu"),
    (0x0B00, "or"),
    (0x0B80, "ta"),
    (0x0C00, "te"),
    (0x0C80, "kn"),
    (0x0D00, "ml"),
    (0x0D80, "si"),
    (0x0E00, "th"),
    (0x0E80, "lo"),
    (0x0F00, "bo"),
    (0x1000, "my"),
    (0x10A0, "ka"),
    (0x1100, "ko"),
    (0x1200, "am"),
    (0x13A0, ""),
    (0x1780, "km"),
    (0x1800, ""),
    (0x1C80, "ru"),
    (0x1C90, "ka"),
    (0x1CC0, ""),
    (0x1E00, "Latin"),
    (0x1F00, "el"),
    (0x2000, ""),
    (0x3005, "Han"),
    (0x3040, "ja"),
    (0x3100, "Han"),
    (0x3130, "ko"),
    (0x3190, ""),
    (0x31F0, "ja"),
    (0x3200, ""),
    (0x3400, "Han"),
    (0xA000, ""),
    (0xA8E0, "Devanagari"),
    (0xA900, ""),
    (0xAC00, "ko"),
    (0xD800, ""),
    (0xF900, "Han"),
    (0xFB00, "Latin"),
    (0xFB13, ""),
    (0xFB50, "Arabic"),
    (0xFE00, ""),
    (0xFE70, "Arabic"),
    (0xFF00, "Latin"),
    (0xFF66, "ja"),
    (0xFFA0, "ko"),
    (0xFFE0, ""),
    (0x20000, "Han"),
    (0x32000, ""),
)
_STARTS = [start for start, _ in _BLOCKS]

_DEVANAGARI_WORD = re.compile("[\u0900-\u0963\u0971-\u097f\u200c\u200d]+")
_MARATHI_WORDS = (
    "आहे आहेत आहोत नाही नाहीत आणि व हे ही हा त्या त्याला त्याचा त्याची त्याचे त्यांना त्यांचे तिचा "
    "किंवा मध्ये साठी असे अशा असा अशी असेल असलेल्या असलेला असलेली असणारी केले केला केली करणे करून "
    "होते होता होती होईल झाले झाला झाली पाहिजे कोणत्याही कोणीही सर्व येईल येणार मिळणे आपल्या "
    "आपला आपले तर म्हणून परंतु कलम देणे घेणे यांना यांचे याचा याची याचे ज्या सदर "
    "कामा नये कोणाला कोणालाही कोणास कोण कसे जाते जातो जाईल आणखी तसेच यांची यांच्या"
)
_MARATHI = frozenset(_MARATHI_WORDS.split())
_HINDI_WORDS = (
    "है हैं हूँ हो था थे थी का की के को में से ने पर और यह वह ये वे कि जो तो भी नहीं या एवं तथा "
    "किसी कोई इस उस इन उन इसका उसका उसकी उसके उसे अपने अपनी अपना लिए लिये साथ द्वारा होगा होगी होंगे "
    "जाए जायेगा जाएगा जाता जाती किया गया गई करने करना होता होती होने सभी अनुच्छेद"
)
_HINDI = frozenset(_HINDI_WORDS.split())
# Case endings that Marathi writes onto the noun where Hindi writes a word of its own.
_MARATHI_ENDING = re.compile("(?:च्या|[ाे]चा|[ाे]ची|[ाे]चे|ांना|ांचे|ांची|ांचा|ण्यास|ण्यात|यास|ातील)$")
_MARATHI_LETTER = "ळ"
_ASSAMESE_LETTERS = "ৰৱ"
_URDU_LETTERS = "ٹڈڑںےہھۓۂ"
_PERSIAN_LETTERS = "پچژگکی"
_KANA_SHARE = 0.05


def language(text: str) -> str | None:
    """ISO 639-1 code of the script with the most letters; None where no letter tells one.

    Latin script counts as English. Devanagari is parted into Hindi and Marathi, Bengali script
    into Bengali and Assamese, Arabic into Arabic, Urdu and Persian, and CJK by kana and Hangul.
    """
    letters = Counter(text)
    scripts = _scripts(letters)
    if not scripts:
        return None
    script = max(scripts, key=lambda name: (scripts[name], name))
    return _in_script(script, letters, text)


def _in_script(script: str, letters: Counter[str], text: str) -> str:
    """The language of a text that is mostly in `script`."""
    if script == "Devanagari":
        return _devanagari(letters, text)
    if script == "Arabic":
        return _arabic(letters)
    if script == "Bengali":
        return "as" if _any_of(letters, _ASSAMESE_LETTERS) else "bn"
    return {"Latin": "en", "Han": "zh"}.get(script, script)


def _scripts(characters: Counter[str]) -> Counter[str]:
    """Letters by script. Han counts as Japanese where kana stand among it."""
    scripts: Counter[str] = Counter()
    for character, times in characters.items():
        scripts[_script(character)] += times
    del scripts[""]
    if scripts["ja"] > _KANA_SHARE * scripts["Han"]:
        scripts["ja"] += scripts.pop("Han", 0)
    return +scripts


@lru_cache(maxsize=4096)
def _script(character: str) -> str:
    """ "" for what is no letter, or one that tells no language."""
    if not character.isalpha():
        return ""
    return _BLOCKS[bisect_right(_STARTS, ord(character)) - 1][1]


def _devanagari(letters: Counter[str], text: str) -> str:
    """Hindi unless more words are Marathi; the letter ळ stands in hardly any Hindi word."""
    words = _DEVANAGARI_WORD.findall(text)
    marathi = sum(word in _MARATHI or bool(_MARATHI_ENDING.search(word)) for word in words)
    hindi = sum(word in _HINDI for word in words)
    return "mr" if marathi + letters[_MARATHI_LETTER] > hindi else "hi"


def _arabic(letters: Counter[str]) -> str:
    if _any_of(letters, _URDU_LETTERS):
        return "ur"
    return "fa" if _any_of(letters, _PERSIAN_LETTERS) else "ar"


def _any_of(letters: Counter[str], wanted: str) -> bool:
    return any(letter in letters for letter in wanted)
