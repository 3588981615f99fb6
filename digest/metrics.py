"""What Prometheus is told: served by itself, or as a file that the node exporter collects.

Everything is read from the store when it is asked for, so nothing is lost when we start anew; labels are
names of configured sources and words of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from digest.errors import ConfigError, DigestError
from digest.facts import Facts

_REASONS = ("bounced", "complained", "unknown", "asked")  # of suppressions; others count as "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All that is told at once."""

    facts: Facts
    version: str  #: of the program
    last_pass: Mapping[str, int] = field(default_factory=dict)  #: counts, by what was counted
    config_wrong: bool = False  #: an edit is not in use


def write(path: Path, measured: Measured) -> None:
    """Write all metrics; the file is replaced in one go. Raises OSError where it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(path), _registry(lambda: measured))


@contextmanager
def serving(measure: Callable[[], Measured], host: str, port: int) -> Iterator[int]:
    """Serve /metrics in a thread of its own until the end of the block, and give the port.

    ``measure`` is asked at each request; where it raises DigestError, `digest_up` is 0 and all else absent.
    """
    try:
        server, thread = start_http_server(port, host, _registry(measure))
    except OSError as error:
        raise ConfigError(
            f"web.metrics_listen: {host}:{port}: {error.strerror or error}"
        ) from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _registry(measure: Callable[[], Measured]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Collector(measure))
    return registry


class _Collector(Collector):
    """Turns what was measured into metrics, each time that it is asked."""

    def __init__(self, measure: Callable[[], Measured]) -> None:
        self._measure = measure

    def describe(self) -> list[Metric]:
        return []  # or else it would be asked once at the start

    def collect(self) -> Iterator[Metric]:
        try:
            measured = self._measure()
        except DigestError:
            yield GaugeMetricFamily("digest_up", "1 while the database can be read.", 0)
            return
        yield GaugeMetricFamily("digest_up", "1 while the database can be read.", 1)
        yield from families(measured)


def families(measured: Measured) -> Iterator[Metric]:
    """Everything that is told, as metrics."""
    facts = measured.facts
    build = GaugeMetricFamily(
        "digest_build_info", "Always 1; what runs.", labels=["version", "database"]
    )
    build.add_metric([measured.version, facts.database], 1)
    yield build
    yield GaugeMetricFamily(
        "digest_configuration_wrong",
        "1 where an edit of the configuration is wrong and the last good one is in use.",
        measured.config_wrong,
    )
    yield from _sources(facts)
    yield _by(
        "digest_editions_last_day",
        "Editions that were due in the last 24 hours, by what came of them.",
        "outcome",
        {
            word: facts.outcomes.get(count, 0)
            for word, count in (
                ("composed", "editions"),
                ("nothing_new", "nothing_new"),
                ("too_few", "too_few"),
                ("too_late", "too_late"),
            )
        },
    )
    yield _by(
        "digest_deliveries_open",
        "Deliveries that are not over.",
        "state",
        {name: facts.open.get(name, 0) for name in ("queued", "claimed", "sending", "uncertain")},
    )
    yield _by(
        "digest_deliveries_last_day",
        "Deliveries that ended in the last 24 hours.",
        "state",
        {name: facts.settled.get(name, 0) for name in ("sent", "failed", "suppressed")},
    )
    yield _seconds("digest_queue_age", "How long the oldest mail has waited.", facts.queue_age)
    yield _by(
        "digest_subscribers",
        "People and public feeds.",
        "state",
        {"active": facts.subscribers, "left": facts.left},
    )
    reasons = {name: facts.suppressions.get(name, 0) for name in _REASONS}
    reasons["other"] = sum(facts.suppressions.values()) - sum(reasons.values())
    yield _by("digest_suppressed_addresses", "Addresses that get no mail.", "reason", reasons)
    yield from _passes(measured)


def _sources(facts: Facts) -> Iterator[Metric]:
    for name, told, values in (
        ("dumps", "Dumps that were read.", {each.name: each.dumps for each in facts.sources}),
        ("papers", "Papers, by who had them first.", {e.name: e.papers for e in facts.sources}),
        ("sightings", "Papers seen in dumps.", {e.name: e.sightings for e in facts.sources}),
        ("rejected", "Pieces that are no papers.", {e.name: e.rejected for e in facts.sources}),
    ):
        family = CounterMetricFamily(f"digest_{name}", told, labels=["source"])
        for source, value in values.items():
            family.add_metric([source], value)
        yield family
    yield _by(
        "digest_source_failures",
        "Failed requests since the last good one.",
        "source",
        {each.name: each.failures for each in facts.sources},
    )
    yield _by(
        "digest_source_stale",
        "1 where a source should have brought something by now.",
        "source",
        {each.name: bool(each.stale) for each in facts.sources},
    )
    yield _times(
        "digest_source_read",
        "When it last answered well.",
        {e.name: e.read_at for e in facts.sources},
    )
    yield _times(
        "digest_source_new",
        "When it last had a new paper.",
        {e.name: e.new_at for e in facts.sources},
    )


def _passes(measured: Measured) -> Iterator[Metric]:
    facts = measured.facts
    if facts.last_pass_at:
        yield GaugeMetricFamily(
            "digest_last_pass_timestamp_seconds",
            "When the last pass ended.",
            facts.last_pass_at.timestamp(),
        )
    yield _seconds("digest_tick_lag", "How late the next pass is.", facts.tick_lag)
    yield _by("digest_last_pass", "What the last pass came to.", "what", measured.last_pass)
    yield _by(
        "digest_pass_stage_seconds",
        "How long each stage took, in the last pass that had something to do.",
        "stage",
        facts.seconds,
    )
    if facts.next_due_at:
        yield GaugeMetricFamily(
            "digest_next_edition_timestamp_seconds",
            "When the next edition is due; in the past where one waits.",
            facts.next_due_at.timestamp(),
        )


def _by(name: str, told: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, told, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _times(name: str, told: str, values: Mapping[str, datetime | None]) -> GaugeMetricFamily:
    known = {source: at.timestamp() for source, at in values.items() if at}
    return _by(f"{name}_timestamp_seconds", told, "source", known)


def _seconds(name: str, told: str, length: timedelta) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{name}_seconds", told, length.total_seconds())
