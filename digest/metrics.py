"""Metrics of the last pass, as a file that Prometheus's node exporter collects (its textfile format)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile


def write(path: Path, ended_at: datetime, counts: Mapping[str, int], *, config_wrong: bool) -> None:
    """Write what the last pass came to; the file is replaced in one go.

    ``counts`` are by what was counted: "sent", "held". Raises OSError where the file cannot be written.
    """
    registry = CollectorRegistry()
    ended = Gauge(
        "digest_last_pass_timestamp_seconds", "When the last pass ended.", registry=registry
    )
    ended.set(ended_at.timestamp())
    found = Gauge("digest_last_pass", "What the last pass came to.", ["what"], registry=registry)
    for what, count in counts.items():
        found.labels(what).set(count)
    wrong = Gauge(
        "digest_configuration_wrong",
        "1 where an edit of the configuration is wrong and the last good one is in use.",
        registry=registry,
    )
    wrong.set(config_wrong)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(path), registry)
