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


class HoldCode(StrEnum):
    """What a hold is for."""

    BUDGET = "budget"  # the batch's does not cover its next frontier job
    BUDGET_UNDER_WAY = "budget_under_way"  # not yet: calls under way may give something back
    DAY_BUDGET = "day_budget"  # the day's does not cover the next frontier job
    NO_PRICE = "no_price"  # without the model's price no budget can be kept
    ENGINE = "engine"  # no worker can ask it before somebody mends something
