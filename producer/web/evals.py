"""The pages about evals: all of them, and one with its drawing."""

from starlette.requests import Request
from starlette.responses import Response

from producer.evaluate.plot import plot
from producer.evaluate.report import listed, report
from producer.render import eval_saving
from producer.web.params import path_number
from producer.web.view import page


def evals(_: Request) -> Response:
    """Every eval, newest first."""
    return page("evals.html", rows=listed())


def evaluation(request: Request) -> Response:
    """One eval: its figures, the drawing and the table that follows from it."""
    number = path_number(request, "eval")
    [about] = listed(number)
    if not about["ready"]:
        return page("eval.html", about=about, made=None)
    made = report(number)
    return page(
        "eval.html",
        about=about,
        made=made,
        plots={task: plot(task, made.figures) for task in made.tasks},
        savings={task: eval_saving(made, task) for task in made.tasks},
    )
