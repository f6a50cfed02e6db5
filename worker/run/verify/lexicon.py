"""Words of documents, by language: currencies, scale words, units, months, qualifiers, and the labels
that stand beside values. Data, folded as texts are (fold.py)."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from worker.run.verify.fold import folded


Name = TypeVar("Name", str, int)


def _by_word(rows: Mapping[Name, str]) -> dict[str, Name]:
    """{name: "word word"} turned round; an underscore stands for a space."""
    return {
        folded(word.replace("_", " ")): name for name, words in rows.items() for word in words.split()
    }


CURRENCIES: Mapping[str, str] = _by_word(
    {
        "INR": "₹ rs inr rupee rupees रु रुपये रुपए रूपये रुपया ரூ ரூபாய் రూ రూపాయలు ₨",
        "USD": "$ us$ usd dollar dollars",
        "EUR": "€ eur euro euros",
        "GBP": "£ gbp pound pounds",
        "CHF": "chf sfr fr franken",
        "JPY": "¥ jpy 円 yen 日元",
        "CNY": "cny rmb 元 人民币 yuan",
        "MYR": "rm myr ringgit",
        "SGD": "s$ sgd",
        "AUD": "a$ aud",
        "CAD": "c$ cad",
        "AED": "aed درهم",
        "SAR": "sar ريال",
        "EGP": "egp جنيه",
        "KRW": "₩ krw 원",
        "THB": "฿ thb บาท",
        "RUB": "₽ rub",
        "TRY": "₺ try tl",
        "BRL": "r$ brl",
        "SEK": "sek kr",
        "PLN": "zł pln",
    }
)

SCALES: Mapping[str, int] = _by_word(
    {
        2: "百 hundred hundert cent",
        3: "thousand thousands k tsd tausend mille हजार हज़ार ஆயிரம் వేలు ألف آلاف 千",
        4: "万 萬",
        5: "lakh lakhs lac lacs लाख லட்சம் இலட்சம் లక్ష లక్షలు",
        6: "million millions mn mio millionen مليون ملايين 百万",
        7: "crore crores cr करोड़ கோடி కోటి కోట్లు 千万",
        8: "亿 億",
        9: "billion billions bn milliarde milliarden milliard milliards mrd md अरब مليار مليارات 十亿",
        12: "trillion trillions 兆",
    }
)

UNITS: Mapping[str, str] = _by_word(
    {
        "%": "% percent per_cent prozent pourcent प्रतिशत சதவீதம் بالمئة",
        "second": "second seconds sec secs sekunde sekunden seconde secondes 秒",
        "minute": "minute minutes min mins minuten 分钟 分",
        "hour": "hour hours hr hrs stunde stunden std heure heures घंटे 小时 時間",
        "day": "day days tag tage tagen jour jours दिन दिनों நாள் நாட்கள் يوم أيام يوما 日 天 日間",
        "week": "week weeks woche wochen semaine semaines सप्ताह हफ्ते வாரம் أسبوع أسابيع 周 週 週間 星期",
        "month": "month months monat monate monaten mois महीने माह மாதம் மாதங்கள் شهر أشهر شهرا 月 个月 ヶ月 か月 箇月",
        "year": "year years yr yrs jahr jahre jahren an ans année années वर्ष साल ஆண்டு ஆண்டுகள் سنة سنوات 年 年間",
        "gram": "g gr gram grams gramm grammes ग्राम 克 グラム",
        "kilogram": "kg kgs kilo kilogram kilograms kilogramm किलो किग्रा 公斤 千克 キロ كجم",
        "tonne": "t ton tons tonne tonnes tonnen टन 吨 トン",
        "litre": "l ltr litre litres liter liters लीटर 升 リットル لتر",
        "metre": "m mtr metre metres meter meters मीटर 米 メートル متر",
        "kilometre": "km kms kilometre kilometres kilometer किमी 公里 キロメートル كم",
        "centimetre": "cm centimetre centimeter 厘米",
        "millimetre": "mm millimetre millimeter 毫米",
        "mile": "mile miles mi meile meilen",
        "square metre": "m2 sqm qm 平方米 平米",
        "square foot": "sqft sq.ft sft",
        "acre": "acre acres एकड़",
        "kilowatt hour": "kwh",
        "piece": "pcs pc pieces piece stück stk pièces नग 个 件 個",
        "page": "page pages seite seiten पृष्ठ 页 頁",
    }
)

DIMENSIONS: tuple[frozenset[str], ...] = (
    frozenset({"second", "minute", "hour", "day", "week", "month", "year"}),
    frozenset({"gram", "kilogram", "tonne"}),
    frozenset({"metre", "kilometre", "centimetre", "millimetre", "mile"}),
)
"""Units that one could be taken for another."""

MONTHS: Mapping[str, int] = _by_word(
    {
        1: "january jan januar jänner janvier janv जनवरी ஜனவரி జనవరి يناير enero gennaio janeiro",
        2: "february feb februar feber février févr fév फरवरी பிப்ரவரி ఫిబ్రవరి فبراير febrero febbraio",
        3: "march mar märz mrz mars मार्च மார்ச் మార్చి مارس marzo março",
        4: "april apr avril avr अप्रैल ஏப்ரல் ఏప్రిల్ أبريل ابريل abril aprile",
        5: "may mai मई மே మే مايو mayo maggio maio",
        6: "june jun juni juin जून ஜூன் జూన్ يونيو junio giugno junho",
        7: "july jul juli juillet juil जुलाई ஜூலை జూలై يوليو julio luglio julho",
        8: "august aug août अगस्त ஆகஸ்ட் ஆகஸ்டு ఆగస్టు أغسطس اغسطس agosto",
        9: "september sep sept septembre सितंबर सितम्बर செப்டம்பர் సెప్టెంబర్ سبتمبر septiembre settembre",
        10: "october oct oktober okt octobre अक्टूबर अक्तूबर அக்டோபர் అక్టోబర్ أكتوبر اكتوبر octubre ottobre",
        11: "november nov novembre नवंबर नवम्बर நவம்பர் నవంబర్ نوفمبر noviembre",
        12: "december dec dezember dez décembre déc दिसंबर दिसम्बर டிசம்பர் డిసెంబర్ ديسمبر diciembre dicembre",
    }
)

ERAS: Mapping[str, int] = {"令和": 2018, "平成": 1988, "昭和": 1925}
"""The year before the first of each Japanese era."""


def _lines(text: str) -> tuple[str, ...]:
    return tuple(folded(line.strip()) for line in text.split(",") if line.strip())


QUALIFIERS_BEFORE = _lines(
    "up to, at most, not more than, no more than, at least, not less than, no less than, less than, "
    "more than, not exceeding, maximum of, minimum of, approximately, approx, approx., about, around, "
    "circa, ca., nearly, almost, roughly, some, estimated, est., expected, provisional, proposed, "
    "projected, tentative, preliminary, not, never, no longer, neither, instead of, rather than, "
    "cancelled, canceled, void, voided, superseded, formerly, former, previously, between, from, "
    "bis zu, höchstens, mindestens, maximal, minimal, ungefähr, etwa, rund, zirka, geschätzt, "
    "voraussichtlich, vorläufig, nicht, kein, keine, nicht mehr, storniert, aufgehoben, statt, vormals, "
    "jusqu'à, au plus, au moins, maximum, environ, près de, estimé, estimée, prévu, prévue, "
    "provisoire, ne pas, non, annulé, annulée, au lieu de, anciennement, "
    "अधिकतम, न्यूनतम, लगभग, करीब, तकरीबन, अनुमानित, संभावित, नहीं, न कि, रद्द, निरस्त, पूर्व में, "
    "அதிகபட்சம், குறைந்தபட்சம், சுமார், ஏறக்குறைய, மதிப்பிடப்பட்ட, தோராயமாக, ரத்து, அல்ல, "
    "حتى, لا يزيد عن, لا يتجاوز, لا يقل عن, على الأقل, حوالي, نحو, تقريبا, المقدر, تقديري, متوقع, ليس, "
    "ليست, غير, ملغى, ملغاة, ألغي, بدلا من, "
    "最多, 至多, 不超过, 不超過, 至少, 不少于, 大约, 大約, 约, 約, 左右, 预计, 預計, 估计, 預估, 预估, "
    "暂定, 不是, 并非, 非, 已取消, 取消, 作废, 原, "
    "最大, 最高, 最低, 以内, およそ, おおよそ, ほぼ, 推定, 見込み, 見積, 予定, 仮, ではなく, 旧, キャンセル"
)

QUALIFIERS_AFTER = _lines(
    "or less, or more, or so, at most, at least, maximum, max, max., minimum, min., approximately, "
    "approx, approx., estimated, (estimated), (est.), (est), expected, provisional, cancelled, canceled, "
    "(cancelled), (canceled), void, (void), is cancelled, was cancelled, has been cancelled, "
    "is not, was not, does not, superseded, (approx.), (approx), tentative, "
    "oder weniger, oder mehr, höchstens, mindestens, geschätzt, (geschätzt), ca., storniert, "
    "(storniert), wurde storniert, entfällt, vorläufig, "
    "au maximum, maximum, au plus, au moins, environ, estimé, (estimé), annulé, (annulé), annulée, "
    "तक, से अधिक नहीं, से कम, से अधिक, अनुमानित, (अनुमानित), रद्द, (रद्द), नहीं, के लगभग, "
    "வரை, க்கு மிகாமல், மதிப்பீடு, ரத்து, ரத்து செய்யப்பட்டது, இல்லை, அல்ல, "
    "كحد أقصى, على الأكثر, على الأقل, تقريبا, تقديري, ملغى, ملغاة, "
    "左右, 以内, 以下, 以上, 以內, 上下, (预计), (预估), 不等, 已取消, (已取消), 作废, (作废), (暂定), 未满, "
    "程度, 前後, 未満, ほど, (予定), (見込み), (推定), (概算), まで, キャンセル, (取消)"
)


PLACEHOLDERS = frozenset(
    _lines(
        "n/a, na, none, null, nil, unknown, not available, not applicable, not specified, not stated, "
        "not mentioned, not found, not provided, not given, unspecified, undefined, missing, tbd, "
        "to be determined, no value, k.a., keine angabe, unbekannt, nicht angegeben, non précisé, "
        "inconnu, उपलब्ध नहीं, अज्ञात, لا يوجد, غير معروف, غير محدد, 无, 未知, 不明, なし, 未提及"
    )
)
"""What a model writes where it should have written null."""


class Concepts:
    """What labels mean: terms by the concept that they name."""

    def __init__(self, rows: Iterable[tuple[str, str, str]]) -> None:
        self.terms: dict[str, str] = {}
        self.kinds: dict[str, str] = {}
        for name, kind, terms in rows:
            self.kinds[name] = kind
            self.terms.update(dict.fromkeys(_lines(terms), name))


DATE, AMOUNT, NAME, CODE, OTHER = "date", "amount", "name", "code", "other"
"""What kind of value a concept has: two of one kind may be taken for each other."""

CONCEPTS = Concepts(
    [
        (
            "final total",
            AMOUNT,
            "grand total, final total, amt due, amount to be paid, to be paid, total to be paid, total amount, total due, amount due, balance due, amount payable, "
            "total payable, net payable, invoice total, total to pay, total inclusive, total incl, "
            "nett total, bill total, total inc, total value, total bill, payable amount, "
            "inclusive of gst, inclusive of tax, incl. vat, inkl. mwst, gesamtbetrag, rechnungsbetrag, endbetrag, gesamtsumme, endsumme, "
            "zu zahlen, zahlbetrag, zahlungsbetrag, total ttc, montant total, net à payer, "
            "total à payer, montant dû, total général, कुल राशि, कुल योग, देय राशि, कुल देय, महायोग, "
            "மொத்த தொகை, செலுத்த வேண்டிய தொகை, الإجمالي, المبلغ الإجمالي, المبلغ المستحق, "
            "إجمالي المبلغ, 总额, 总金额, 合计金额, 應付總額, 应付金额, 价税合计, 总计, 總計, 合計金額, 総額, "
            "総合計, お支払い金額, ご請求金額, 請求金額, 請求額, 税込合計, 税込",
        ),
        (
            "total",
            AMOUNT,
            "total, totals, sum, amount, amt, net total, nett total, net amount, summe, gesamt, betrag, montant, somme, "
            "कुल, योग, राशि, रकम, மொத்தம், தொகை, المجموع, مجموع, المبلغ, 合计, 合計, 金额, 金額, 共计",
        ),
        (
            "subtotal",
            AMOUNT,
            "subtotal, sub total, sub-total, excl, excl., excluding, exclusive, exclusive of, before tax, "
            "total excluding, taxable, taxable amount, taxable value, pre-tax, "
            "zwischensumme, netto, nettobetrag, sous-total, sous total, total ht, hors taxes, montant ht, "
            "उप-योग, उपयोग, उप योग, कर योग्य, கூட்டுத்தொகை, துணை மொத்தம், المجموع الفرعي, قبل الضريبة, "
            "小计, 小計, 税抜, 税前, 不含税",
        ),
        (
            "tax",
            AMOUNT,
            "tax, vat, gst, cgst, sgst, igst, sst, cess, service tax, sales tax, tva, mwst, mwst., ust, "
            "umsatzsteuer, mehrwertsteuer, steuer, taxe, taxes, कर, जीएसटी, வரி, ضريبة, الضريبة, "
            "税额, 税額, 消費税, 增值税, 税金",
        ),
        (
            "discount",
            AMOUNT,
            "discount, rebate, less, savings, you saved, rabatt, skonto, nachlass, remise, rabais, "
            "réduction, छूट, தள்ளுபடி, خصم, الخصم, 折扣, 优惠, 割引, 値引",
        ),
        (
            "paid",
            AMOUNT,
            "cash, change, paid, tendered, tender, amount tendered, received, amount received, amount paid, "
            "card, visa, mastercard, deposit, advance, change due, cash change, balance, "
            "bar, gegeben, rückgeld, wechselgeld, anzahlung, bezahlt, espèces, rendu, monnaie, acompte, payé, "
            "नकद, अग्रिम, भुगतान, रोकड़, ரொக்கம், முன்பணம், செலுத்தியது, نقدا, المدفوع, الباقي, دفعة مقدمة, "
            "现金, 找零, 实收, 押金, 预付, 現金, お釣り, お預り, 預り金, おつり, 前払",
        ),
        (
            "rounding",
            AMOUNT,
            "rounding, round off, round adj, rounding adj, rounding adjustment, rundung, arrondi, 端数",
        ),
        (
            "charge",
            AMOUNT,
            "shipping, freight, delivery charge, service charge, serv. charge, serv charge, handling, fee, "
            "penalty, interest, late fee, versand, versandkosten, gebühr, frais, frais de port, livraison, "
            "शुल्क, ब्याज, கட்டணம், رسوم, 运费, 手续费, 送料, 手数料, 违约金",
        ),
        (
            "price",
            AMOUNT,
            "price, unit price, u.price, u. price, s/price, rate, unit cost, einzelpreis, preis, stückpreis, "
            "prix, prix unitaire, दर, मूल्य, விலை, سعر, السعر, 单价, 單價, 単価, 价格",
        ),
        (
            "quantity",
            AMOUNT,
            "quantity, qty, total qty, total quantity, total items, no of items, items, item count, count, "
            "pax, menge, anzahl, quantité, qté, मात्रा, संख्या, அளவு, எண்ணிக்கை, كمية, الكمية, العدد, 数量, 個数",
        ),
        (
            "date",
            DATE,
            "date, dated, dt, datum, दिनांक, तारीख, तिथि, தேதி, நாள், تاريخ, التاريخ, 日期, 日付, 年月日, le",
        ),
        (
            "issue date",
            DATE,
            "invoice date, bill date, date of issue, issue date, issued, issued on, date issued, receipt date, "
            "date of invoice, inv date, statement date, document date, transaction date, "
            "rechnungsdatum, ausgestellt, ausgestellt am, ausstellungsdatum, belegdatum, "
            "date de facture, date de la facture, date d'émission, date facture, émise le, "
            "चालान दिनांक, बिल दिनांक, जारी करने की तिथि, चालान तिथि, बिल तिथि, विपत्र दिनांक, "
            "விலைப்பட்டியல் தேதி, வழங்கிய தேதி, பில் தேதி, تاريخ الفاتورة, تاريخ الإصدار, "
            "开票日期, 發票日期, 发票日期, 签发日期, 出具日期, 发行日, 発行日, 請求日, 発行年月日",
        ),
        (
            "due date",
            DATE,
            "due date, due, due by, due on, payment due, payable by, pay by, date due, payment date, last date, "
            "fällig, fällig am, fälligkeit, fälligkeitsdatum, zahlbar bis, zahlungsziel, "
            "échéance, date d'échéance, à payer avant, date limite, payable le, "
            "देय तिथि, देय दिनांक, अंतिम तिथि, भुगतान तिथि, भुगतान की अंतिम तिथि, नियत तिथि, "
            "கடைசி தேதி, செலுத்த வேண்டிய தேதி, நிலுவைத் தேதி, تاريخ الاستحقاق, تاريخ السداد, "
            "到期日, 付款期限, 到期日期, 截止日期, 付款日期, 支払期限, 支払期日, お支払期限, 期日, 期限",
        ),
        (
            "delivery date",
            DATE,
            "delivery date, delivered, shipped, ship date, dispatch date, received date, date received, "
            "lieferdatum, geliefert am, versanddatum, leistungsdatum, date de livraison, livré le, "
            "वितरण तिथि, डिलीवरी तिथि, டெலிவரி தேதி, تاريخ التسليم, 交货日期, 送货日期, 納品日, 配達日",
        ),
        (
            "order date",
            DATE,
            "order date, ordered, ordered on, po date, booking date, bestelldatum, bestellt am, "
            "date de commande, commandé le, ऑर्डर तिथि, ஆர்டர் தேதி, تاريخ الطلب, 订单日期, 下单日期, 注文日, 発注日",
        ),
        (
            "start date",
            DATE,
            "effective date, effective, effective as of, effective from, made as of, as of, dated as of, "
            "entered into, entered into as of, made and entered into, made this, start date, begins, beginning, "
            "commencing, commencement date, commencement, valid from, from, with effect from, w.e.f, "
            "beginn, ab, gültig ab, in kraft, vertragsbeginn, wirksam ab, date d'effet, à compter du, début, "
            "प्रभावी तिथि, प्रारंभ तिथि, आरंभ तिथि, நடைமுறைக்கு வரும் தேதி, தொடக்க தேதி, "
            "تاريخ السريان, تاريخ البدء, 生效日期, 生效日, 开始日期, 起始日期, 開始日, 発効日, 契約日",
        ),
        (
            "end date",
            DATE,
            "end date, expiry, expiry date, expiration, expiration date, expires, expires on, valid until, "
            "valid till, until, terminates, termination date, best before, exp date, maturity, maturity date, "
            "ende, gültig bis, ablaufdatum, läuft ab, vertragsende, date de fin, date d'expiration, expire le, "
            "jusqu'au, समाप्ति तिथि, वैधता, முடிவு தேதி, காலாவதி, تاريخ الانتهاء, 有效期至, 终止日期, 结束日期, "
            "失效日期, 終了日, 有効期限, 満了日",
        ),
        (
            "birth date",
            DATE,
            "date of birth, birth date, dob, born, born on, geburtsdatum, geboren, geboren am, "
            "date de naissance, né le, née le, जन्म तिथि, जन्मतिथि, பிறந்த தேதி, تاريخ الميلاد, 出生日期, 生年月日",
        ),
        (
            "seller",
            NAME,
            "seller, vendor, supplier, merchant, store, shop, sold by, billed by, issuer, from, company, "
            "organisation, organization, landlord, lessor, licensor, payee, sender, "
            "verkäufer, lieferant, anbieter, firma, unternehmen, vermieter, vendeur, fournisseur, société, "
            "entreprise, bailleur, विक्रेता, प्रदाता, कंपनी, संस्था, मकान मालिक, விற்பனையாளர், நிறுவனம், "
            "البائع, المورد, الشركة, شركة, 卖方, 供应商, 销售方, 甲方, 公司, 売主, 販売者, 会社名, 会社",
        ),
        (
            "buyer",
            NAME,
            "buyer, customer, client, purchaser, bill to, billed to, ship to, sold to, tenant, lessee, licensee, "
            "payer, recipient, consignee, attn, käufer, kunde, kundin, rechnungsempfänger, mieter, besteller, "
            "acheteur, client, facturé à, destinataire, locataire, क्रेता, ग्राहक, खरीदार, किराएदार, "
            "வாங்குபவர், வாடிக்கையாளர், المشتري, العميل, الزبون, 买方, 购买方, 客户, 乙方, 購入者, 買主, 顧客, お客様",
        ),
        (
            "person",
            NAME,
            "cashier, server, salesperson, sales person, contact, contact person, signed by, prepared by, "
            "manager, served by, clerk, waiter, bearbeiter, ansprechpartner, sachbearbeiter, unterzeichnet, "
            "caissier, établi par, signé par, कैशियर, काउंटर, 收银员, 联系人, 经办人, 担当, 担当者",
        ),
        (
            "address",
            OTHER,
            "address, anschrift, adresse, पता, முகவரி, العنوان, عنوان, 地址, 住址, 住所, 所在地",
        ),
        (
            "place",
            OTHER,
            "governed by, governing law, laws of, law of, jurisdiction, courts of, court of, courts in, "
            "applicable law, laws of the state of, laws of the commonwealth of, anwendbares recht, recht, "
            "gerichtsstand, droit applicable, droit, tribunaux de, juridiction, न्यायालय, "
            "न्यायक्षेत्र, அதிகார வரம்பு, القانون, الاختصاص, 管辖, 法律, 準拠法, 管轄",
        ),
        (
            "term",
            OTHER,
            "term, term of, period, period of, for a period of, duration, for, within, validity, lasting, "
            "laufzeit, dauer, frist, durée, délai, période, अवधि, காலம், مدة, المدة, 期限, 期间, 期間, 有効期間",
        ),
        (
            "number",
            CODE,
            "invoice no, invoice number, invoice #, inv no, bill no, bill number, bill#, receipt no, receipt#, "
            "receipt number, document no, doc no, rechnungsnummer, rechnungs-nr, rechnung nr, belegnummer, "
            "numéro de facture, facture n°, n° facture, facture no, चालान संख्या, बिल संख्या, बिल नं, चालान नं, "
            "விலைப்பட்டியல் எண், பில் எண், رقم الفاتورة, 发票号, 发票号码, 發票號碼, 請求書番号, 伝票番号, 領収書番号",
        ),
        (
            "order number",
            CODE,
            "order no, order number, order#, po no, po number, po#, purchase order, reference, ref, ref no, "
            "bestellnummer, auftragsnummer, numéro de commande, référence, ऑर्डर संख्या, ஆர்டர் எண், رقم الطلب, "
            "订单号, 訂單號, 注文番号, 参照番号",
        ),
        (
            "tax number",
            CODE,
            "gst id, gst no, gst reg no, gstin, gst reg. no, vat no, vat id, vat number, vat reg no, tax id, pan, "
            "ust-idnr, ust-id, steuernummer, n° tva, numéro de tva, जीएसटीआईएन, पैन, الرقم الضريبي, "
            "税号, 纳税人识别号, 登録番号",
        ),
        (
            "phone",
            CODE,
            "tel, telephone, phone, mobile, fax, contact no, hotline, telefon, mobil, téléphone, tél, "
            "फोन, दूरभाष, मोबाइल, தொலைபேசி, هاتف, 电话, 電話, 传真",
        ),
        (
            "customer number",
            CODE,
            "customer no, customer number, account no, account number, a/c no, member no, kundennummer, "
            "kontonummer, numéro client, numéro de compte, खाता संख्या, கணக்கு எண், رقم الحساب, 客户编号, 账号, "
            "口座番号, 顧客番号",
        ),
    ]
)

GENERIC = frozenset({"date", "total"})
"""Concepts whose word says little: a narrower word in the same label says what is meant."""

ACCEPTED: Mapping[str, frozenset[str]] = {
    "date": frozenset({"date", "issue date"}),
    "issue date": frozenset({"date", "issue date"}),
    "start date": frozenset({"date", "start date"}),
    "total": frozenset({"total", "final total"}),
    "final total": frozenset({"total", "final total"}),
}
"""Which concepts a label may name, where it need not be the field's own."""

ISSUERS = frozenset({"seller"})
"""Whose name stands at the head of a paper."""

COMPUTED = frozenset(
    _lines(
        "count, number of, how many, average, mean, difference, age, ratio, days, duration in, "
        "anzahl, durchschnitt, nombre de, moyenne, संख्या, औसत, عدد, 数, 平均"
    )
)
"""Fields whose values a model works out, so that they need not stand in the text."""

PROSE = frozenset(
    _lines(
        "summary, description, explanation, reason, reasoning, rationale, notes, note, comment, remarks, "
        "analysis, overview, conclusion, answer, opinion, zusammenfassung, beschreibung, begründung, "
        "bemerkung, résumé, raison, सारांश, विवरण, कारण, சுருக்கம், விளக்கம், ملخص, وصف, سبب, "
        "摘要, 总结, 说明, 原因, 要約, 概要, 説明, 理由"
    )
)
"""Fields whose values a model words itself."""
