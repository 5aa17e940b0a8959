"""What has been counted, and what is there now, in the text form that Prometheus reads."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from speechsearch.api.identity import is_at_machine, visitor_of
from speechsearch.domain.counters import Counted, Measure
from speechsearch.domain.errors import NotAllowedError, SpeechSearchError

if TYPE_CHECKING:
    from speechsearch.service.open import Service

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
NAMESPACE = "speechsearch"


def family_of(measure: Measure, series: dict[tuple[str, ...], Counted]) -> Metric:
    """Return a measure as Prometheus names and sums it.

    >>> family = family_of(Measure("files", "Files.", ("state",)), {("indexed",): Counted(2, 2.0)})
    >>> [(sample.name, sample.labels, sample.value) for sample in family.samples]
    [('speechsearch_files_total', {'state': 'indexed'}, 2.0)]
    """
    name = f"{NAMESPACE}_{measure.name}"
    if not measure.bounds:
        sums = CounterMetricFamily(name, measure.about, labels=measure.labels)
        for key, kept in series.items():
            sums.add_metric(key, kept.total)
        return sums
    histogram = HistogramMetricFamily(name, measure.about, labels=measure.labels)
    for key, kept in series.items():
        so_far, buckets = 0, []
        for bound, within in zip(measure.bounds, kept.within, strict=True):
            so_far += within
            buckets.append((str(bound), float(so_far)))
        histogram.add_metric(key, [*buckets, ("+Inf", float(kept.count))], kept.total)
    return histogram


class ServiceCollector(Collector):
    """Gives Prometheus' client what was counted, and asks the service for what is there at the moment."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Yield all families; what cannot be had because a part fails is left out, and the part is named."""
        for measure, series in self._service.counters.read().items():
            yield family_of(measure, dict(series))
        failing = self._service.failing()
        parts = {part: float(part not in failing) for part in ("database", "index")}
        yield gauge("part_answers", "Whether a part answers: 1, or 0.", "part", parts)
        free_bytes = shutil.disk_usage(self._service.data_dir).free
        yield GaugeMetricFamily(f"{NAMESPACE}_disk_free_bytes", "Room where the data folder is.", free_bytes)
        models = {card.name: 1.0 for card in self._service.loader.in_memory()}
        yield gauge("model_loaded", "Models that are in memory now.", "model", models)
        try:
            yield from self._kept()
        except SpeechSearchError:
            return  # part_answers says so

    def _kept(self) -> Iterator[Metric]:
        store, search = self._service.store, self._service.search
        states = dict.fromkeys(("queued", "running", "paused", "failed"), 0) | store.jobs.counts()
        yield gauge("queue_tasks", "Tasks of the queue by state.", "state", states)
        yield gauge("recordings", "Recordings by how far they have come.", "state", store.journal.counts())
        covered = {card.name: search.coverage(card.name) for card in search.cards()}
        of_all = max((one.of_passages for one in covered.values()), default=0)
        yield GaugeMetricFamily(f"{NAMESPACE}_passages", "Passages of all recordings.", of_all)
        found = {name: one.passages for name, one in covered.items()}
        yield gauge("passages_searchable", "Passages that an engine can find now.", "engine", found)


def gauge(name: str, about: str, label: str, values: dict[str, float] | dict[str, int]) -> Metric:
    """Return values of one label as a family of gauges."""
    family = GaugeMetricFamily(f"{NAMESPACE}_{name}", about, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), float(value))
    return family


def metrics_routes(service: Service) -> APIRouter:
    """Return the route that Prometheus asks."""
    router = APIRouter(tags=["operations"])
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(ServiceCollector(service))

    @router.get("/metrics", response_class=Response)
    def metrics(request: Request) -> Response:
        """Return counters and gauges in Prometheus' text form; for owners, and for programs on this machine.

        Raises:
            NotAllowedError: somebody else asks.
        """
        if not visitor_of(request).is_owner and not is_at_machine(request.scope):
            raise NotAllowedError("Only owners may read the metrics.", "Log in, or ask from the machine itself.")
        return Response(generate_latest(registry), media_type=CONTENT_TYPE)

    return router
