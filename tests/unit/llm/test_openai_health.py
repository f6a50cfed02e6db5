import httpx2
import openai  # noqa: TID251 - the names of its errors
import pytest

from worker.llm.openai.engine import OpenAIEngine

PAGE = "<!DOCTYPE html><html>"


@pytest.mark.parametrize(
    ("status", "text", "alive"),
    [
        (404, '{"detail": "Not Found"}', True),  # a gateway that lists no models
        (404, "404 page not found", True),
        (405, "", True),
        (404, PAGE, False),
        (401, '{"error": {"message": "no"}}', False),
        (308, "", False),
        (500, PAGE, False),
    ],
)
async def test_a_server_that_lists_no_models_is_alive_but_a_web_page_is_no_server(
    status, text, alive, monkeypatch
):
    async def refused():
        request = httpx2.Request("GET", "http://there/v1/models")
        response = httpx2.Response(status, text=text, request=request)
        raise openai.APIStatusError("no", response=response, body=None)

    engine = OpenAIEngine("http://there/v1", "sk-test")
    monkeypatch.setattr(engine, "_models", refused)
    health = await engine.health()
    await engine.close()
    assert health.ok is alive
    assert str(status) in health.detail
