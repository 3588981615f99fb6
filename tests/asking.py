"""Ask the web application as a browser does, in this process: what it does after its answer is done by then."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from digest.pipeline import Service
from digest.web import Site, application

SITE = "https://papers.example.org"


class Browser:
    """A browser in one network."""

    def __init__(self, service: Service, host: str = "192.0.2.1") -> None:
        self._transport = httpx.ASGITransport(
            application(lambda: Site(service)), client=(host, 50_000)
        )

    def request(self, method: str, path: str, **how: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url=SITE) as client:
                return await client.request(method, path, **how)

        return asyncio.run(ask())

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def post(self, path: str, **how: Any) -> httpx.Response:
        return self.request("POST", path, **how)
