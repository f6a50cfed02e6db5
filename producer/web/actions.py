"""The buttons: each is one function of producer.control, then back to the batch."""

from collections.abc import Callable, Mapping

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from producer import control
from producer.web.params import form_budget, form_priority, form_reason, path_number, read_form

Form = Mapping[str, str]


def _pause(batch: int, _: Form) -> None:
    control.pause(batch)


def _resume(batch: int, form: Form) -> None:
    control.resume(batch, form_budget(form))


def _cancel(batch: int, _: Form) -> None:
    control.cancel(batch)


def _retry(batch: int, form: Form) -> None:
    control.retry(batch, form_reason(form))


def _priority(batch: int, form: Form) -> None:
    control.set_priority(batch, form_priority(form))


ACTIONS: dict[str, Callable[[int, Form], None]] = {
    "pause": _pause,
    "resume": _resume,
    "cancel": _cancel,
    "retry": _retry,
    "priority": _priority,
}


async def act(request: Request) -> Response:
    """Do what a button says. Reloading the page that follows does not do it again."""
    batch = path_number(request, "batch")
    action = ACTIONS.get(request.path_params["action"])
    if action is None:
        raise HTTPException(404)
    await run_in_threadpool(action, batch, await read_form(request))
    return RedirectResponse(f"/batches/{batch}", status_code=303)
