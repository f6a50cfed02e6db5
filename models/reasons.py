"""Why something is as it is, in one word each: what the database holds. The sentences that people
read are made at the doors (producer/sentences.py)."""

from enum import StrEnum


class CostReason(StrEnum):
    """Why a call's cost is not known, or what bounds it."""

    NO_PRICE = "no_price"  # of its model
    NO_TOKENS = "no_tokens"  # the provider reported none
    NO_MACHINE_PRICE = "no_machine_price"  # usd_per_hour of its engine is not set
    NO_ENGINE_TIME = "no_engine_time"  # the engine did not report its seconds
    STAND_IN = "stand_in"  # no frontier model was asked
    LOST = "lost"  # its answer never arrived: the upper bound counts
    LOST_UNKNOWN = "lost_unknown"  # its answer never arrived, at no known price


class StandsCode(StrEnum):
    """Why an answer with fields in question stands as it is: how its `escalation_reason` begins."""

    SHARE_CAP = "share_cap"  # as many jobs of its batch as may were read again
    COST_CAP = "cost_cap"  # what is left of its batch's cap does not cover another reading
    NO_PRICE = "no_price"  # without the model's price no cap can be kept
    UNREAD = "unread"  # the second reading brought no answer


class HoldCode(StrEnum):
    """What a hold is for."""

    BUDGET = "budget"  # the batch's does not cover its next frontier job
    BUDGET_UNDER_WAY = "budget_under_way"  # not yet: calls under way may give something back
    DAY_BUDGET = "day_budget"  # the day's does not cover the next frontier job
    NO_PRICE = "no_price"  # without the model's price no budget can be kept
    ENGINE = "engine"  # no worker can ask it before somebody mends something


class FieldOutcome(StrEnum):
    """What the checks of a value come to."""

    SURE = "sure"  # it stands in the text, as what was asked for, and nothing speaks against it
    CHECK = "check"  # nothing shows that it is wrong, and nothing that it is right: for a person
    WRONG = "wrong"  # the text says something else, or nothing


class FieldCode(StrEnum):
    """Why a value has its outcome."""

    LABELLED = "labelled"  # it stands beside its field's own label
    ONLY_ONE = "only_one"  # the text has no other value of its kind
    LETTERHEAD = "letterhead"  # the sender's name at the head of the paper
    BLOCK = "block"  # the only address, whole
    ROW = "row"  # beside the other values of its item
    ABSENT = "absent"  # null, and the text has no such value

    STEERED = "steered"  # the text speaks to the model that reads it, so nothing of it is sure
    UNLABELLED = "unlabelled"  # it stands there, with nothing that says what it is
    CONFLICT = "conflict"  # another value stands beside the field's label, too
    QUALIFIED = "qualified"  # "up to", "not", "estimated" or the like stands beside it
    PART = "part"  # where it stands, more belongs to it
    AMBIGUOUS = "ambiguous"  # what stands there may be read in two ways
    UNIT_UNSAID = "unit_unsaid"  # the text says the number without this unit or currency
    MISREAD = "misread"  # it stands there but for letters that scanners mix up
    NEAR = "near"  # its words stand in the text, but not together
    COMPUTED = "computed"  # worked out, so it need not stand there
    REWORDED = "reworded"  # free text in the model's own words
    MISSED = "missed"  # null, although something stands beside the field's label
    UNCHECKABLE = "uncheckable"  # a check of the user's cannot be made with it
    UNREADABLE = "unreadable"  # it cannot be read in the format that was given for it
    GAPS = "gaps"  # a list, and lines of the text that look like its rows have none
    CUT_OFF = "cut_off"  # a list that may have ended before the text's rows did

    NOT_IN_TEXT = "not_in_text"
    NONE_IN_TEXT = "none_in_text"  # nor does any value of its kind
    SIGN = "sign"  # the number stands there with the other sign
    SCALE = "scale"  # its digits stand there as a number of another size
    UNIT = "unit"  # the number stands there with another unit or currency
    DAY_MONTH = "day_month"  # the date stands there with day and month the other way round
    OTHER_KIND = "other_kind"  # a date, where a name was asked for
    OTHER_LABEL = "other_label"  # it stands beside another field's label
    EMPTY = "empty"  # neither a letter nor a digit
    FORM_WORDS = "form_words"  # the form's own words, such as the field's name
    PLACEHOLDER = "placeholder"  # "n/a" or the like, where null was meant
    EXAMPLE = "example"  # copied from the example in the prompt
    MISSING = "missing"  # required, and left empty
    OWN_CHECK = "own_check"  # a check of the user's that names it does not hold


_SURE = frozenset(
    {
        FieldCode.LABELLED,
        FieldCode.ONLY_ONE,
        FieldCode.LETTERHEAD,
        FieldCode.BLOCK,
        FieldCode.ROW,
        FieldCode.ABSENT,
    }
)
_CHECK = frozenset(
    {
        FieldCode.STEERED,
        FieldCode.UNLABELLED,
        FieldCode.CONFLICT,
        FieldCode.QUALIFIED,
        FieldCode.PART,
        FieldCode.AMBIGUOUS,
        FieldCode.UNIT_UNSAID,
        FieldCode.MISREAD,
        FieldCode.NEAR,
        FieldCode.COMPUTED,
        FieldCode.REWORDED,
        FieldCode.MISSED,
        FieldCode.UNCHECKABLE,
        FieldCode.UNREADABLE,
        FieldCode.GAPS,
        FieldCode.CUT_OFF,
    }
)


def outcome_of(code: FieldCode) -> FieldOutcome:
    """The outcome that a code always means."""
    if code in _SURE:
        return FieldOutcome.SURE
    return FieldOutcome.CHECK if code in _CHECK else FieldOutcome.WRONG
