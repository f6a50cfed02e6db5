"""How things look on a terminal. Nothing else prints tables."""

from producer.render.answer import results, worst
from producer.render.batch import MOST_NOTES, batches, notes, status, submit_line
from producer.render.document import documents, said_of
from producer.render.engine import engines
from producer.render.evaluation import eval_changes, eval_report, eval_saving, evals
from producer.render.gold import gold_added, gold_sets
from producer.render.money import costs, escalations, receipt
from producer.render.review import corrected, history, imported, reviews
from producer.render.submit import broken_off, refused, storing, submitted
from producer.render.terminal import Terminal, brief, clock, console, note

__all__ = [
    "MOST_NOTES",
    "Terminal",
    "batches",
    "brief",
    "broken_off",
    "clock",
    "console",
    "corrected",
    "costs",
    "documents",
    "engines",
    "escalations",
    "eval_changes",
    "eval_report",
    "eval_saving",
    "evals",
    "gold_added",
    "gold_sets",
    "history",
    "imported",
    "note",
    "notes",
    "receipt",
    "refused",
    "results",
    "reviews",
    "said_of",
    "status",
    "storing",
    "submit_line",
    "submitted",
    "worst",
]
