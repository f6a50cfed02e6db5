"""A request as its model is to be asked it: what a model does with prompts decides what it is sent.

Pure: a request and the traits of its model in, the request that goes out.
"""

from dataclasses import replace

from worker.llm.engine import Request
from worker.llm.probe import Traits
from worker.prompts import without_system
from worker.prompts.markers import markers_in, plain


def prepared(request: Request, traits: Traits) -> Request:
    """The same request with markers of chat templates taken apart in what is not ours, thinking
    told as it does no harm, and the rules where they are read."""
    markers = markers_in(traits.template)
    ours, others = request.messages[: request.fixed], request.messages[request.fixed :]
    messages = (*ours, *(replace(one, content=plain(one.content, markers)) for one in others))
    request = replace(request, messages=messages, think=traits.think)
    if traits.reads_system or messages[0].role != "system":
        return request
    return replace(request, messages=without_system(messages), fixed=max(request.fixed - 1, 0))
