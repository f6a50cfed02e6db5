"""A real browser, driven by its own protocol (CDP): pages, keys and pictures."""

import asyncio
import base64
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.waiting import wait_until

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--remote-debugging-port=0",
    "--no-first-run",
)
NAMED = {"Enter": (13, "\r"), "Escape": (27, ""), "Tab": (9, "")}


class Browser:
    """One page of a browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._last = socket, 0

    async def do(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol; what came of it."""
        self._last += 1
        await self._socket.send_json({"id": self._last, "method": method, "params": params})
        while True:
            told = await self._socket.receive_json(timeout=30)
            if told.get("id") == self._last:
                assert "error" not in told, told
                return dict(told["result"])

    async def ask(self, script: str) -> Any:
        """What a script comes to on the page."""
        return (await self.do("Runtime.evaluate", expression=script))["result"].get("value")

    async def open(self, url: str) -> None:
        """Go to a page by its address."""
        before = await self._page()
        await self.do("Page.navigate", url=url)
        await self._until_another(before)

    async def press(self, key: str) -> None:
        """Press and release one key."""
        code, text = NAMED.get(key, (0, key))
        about = {"key": key, "windowsVirtualKeyCode": code}
        await self.do("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        await self.do("Input.dispatchKeyEvent", type="keyUp", **about)

    async def write(self, words: str) -> None:
        """Type words, letter by letter."""
        for letter in words:
            await self.press(letter)

    async def go(self, key: str) -> None:
        """Press a key that leads to another page, and wait for that."""
        before = await self._page()
        await self.press(key)
        await self._until_another(before)

    async def picture(self, path: Path, width: int = 1200, height: int = 760) -> None:
        """A picture of the page as a person sees it, as PNG."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.do("Emulation.setDeviceMetricsOverride", **size)
        taken = await self.do("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(taken["data"]))

    async def _page(self) -> Any:
        return await self.ask("performance.timeOrigin")

    async def _until_another(self, before: Any) -> None:
        async with asyncio.timeout(30):
            while True:
                ready = await self.ask(
                    "document.readyState === 'complete' && performance.timeOrigin"
                )
                if ready and ready != before:
                    return
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def open_browser(folder: Path) -> AsyncIterator[Browser]:
    """A browser with an empty profile in this folder."""
    assert CHROMIUM is not None
    profile = folder / "profile"
    kept = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    words = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(words, env=kept, **quiet) as process:
        try:
            told = profile / "DevToolsActivePort"
            port = wait_until(
                lambda: told.exists() and told.read_text().partition("\n")[0], what="it listens"
            )
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answered:
                    pages = [each for each in await answered.json() if each["type"] == "page"]
                async with session.ws_connect(
                    pages[0]["webSocketDebuggerUrl"], max_msg_size=0
                ) as socket:
                    yield Browser(socket)
        finally:
            process.terminate()
            process.wait(30)
