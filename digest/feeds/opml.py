"""A list of feeds that readers import (OPML 2.0)."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from digest.feeds.clean import cleaned, line
from digest.model import Feed


def opml(title: str, feeds: Iterable[Feed]) -> bytes:
    """List feeds by their RSS addresses; one that is served nowhere is left out."""
    root = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(root, "head"), "title").text = line(title)
    body = etree.SubElement(root, "body")
    for feed in map(cleaned, feeds):
        if feed.base_url:
            etree.SubElement(
                body,
                "outline",
                type="rss",
                text=feed.title,
                title=feed.title,
                description=feed.description,
                xmlUrl=feed.address("xml"),
                htmlUrl=feed.site_url,
                language=feed.language,
                version="RSS2",
            )
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))
