"""The FastAPI application: every route is a thin door to the service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.routing import Route

from speechsearch.api.accounts import Accounts
from speechsearch.api.ask_routes import ask_routes
from speechsearch.api.bodies import ErrorBody
from speechsearch.api.clip_routes import clip_routes
from speechsearch.api.collection_routes import collection_routes, reindex_routes
from speechsearch.api.connections import Patience, SlowBodyMiddleware
from speechsearch.api.doors import doors
from speechsearch.api.error_responses import add_error_handlers
from speechsearch.api.export_routes import export_routes
from speechsearch.api.failures import Failures
from speechsearch.api.feedback_routes import feedback_routes
from speechsearch.api.health_routes import health_routes
from speechsearch.api.identity import Access, IdentityMiddleware
from speechsearch.api.job_routes import job_routes
from speechsearch.api.login import login_routes
from speechsearch.api.metrics import metrics_routes
from speechsearch.api.name_routes import name_routes
from speechsearch.api.observed import FaultMiddleware, ObservedMiddleware
from speechsearch.api.openai_errors import add_openai_errors
from speechsearch.api.openai_routes import openai_routes
from speechsearch.api.page_policy import PagePolicyMiddleware
from speechsearch.api.recording_routes import recording_routes
from speechsearch.api.reference import add_reference
from speechsearch.api.search_routes import search_routes
from speechsearch.api.security import Hosts, SecurityMiddleware
from speechsearch.api.similar_routes import similar_routes
from speechsearch.api.speaker_routes import speaker_routes
from speechsearch.api.throttle import Throttle, ThrottleMiddleware
from speechsearch.api.tools import ToolEndpoint
from speechsearch.api.understand_routes import understand_routes

if TYPE_CHECKING:
    from speechsearch.jobs.queue import JobQueue
    from speechsearch.service.open import Service

API_VERSION = "1.0"
FAILURES_A_MINUTE = 10

_FAILURES: dict[int | str, dict[str, object]] = {
    status: {"model": ErrorBody} for status in (401, 403, 404, 408, 409, 413, 422, 429, 500, 501, 503)
}


def create_app(
    service: Service,
    *,
    jobs: JobQueue | None = None,
    frame_ancestors: Sequence[str] = ("'self'",),
    allowed_hosts: Hosts | None = None,
    patience: Patience = Patience(),
) -> FastAPI:
    """Return the application with all REST routes.

    Args:
        service: answers the requests.
        jobs: takes recordings in; without it there are no routes that add any.
        frame_ancestors: who may show the page in a frame, as words of a Content-Security-Policy.
        allowed_hosts: what the server may be addressed as; anything when None.
        patience: how long slow clients are waited for.
    """
    settings, tools = service.settings, ToolEndpoint(service, jobs)
    throttle = Throttle(settings.limits.searches_a_minute)
    access = access_of(service, is_framed=len(frame_ancestors) > 1)
    app = FastAPI(
        title="speechsearch",
        version=API_VERSION,
        description="Find the moment in spoken recordings by meaning.",
        openapi_url="/api/openapi.json",
        # These pages would load their scripts from elsewhere; ours is in reference.py.
        docs_url=None,
        redoc_url=None,
        responses=_FAILURES,
        lifespan=lambda _: tools.running(),
    )
    app.add_middleware(PagePolicyMiddleware, frame_ancestors=frame_ancestors)
    app.add_middleware(ThrottleMiddleware, throttle=throttle)
    app.add_middleware(IdentityMiddleware, access=access)
    app.add_middleware(FaultMiddleware, counters=service.counters)
    app.add_middleware(
        SecurityMiddleware,
        frame_ancestors=frame_ancestors,
        allowed_hosts=allowed_hosts,
        open_doors=doors(settings.limits.archive_bytes),
    )
    app.add_middleware(SlowBodyMiddleware, patience=patience)
    add_openai_errors(app)
    lines = settings.log
    app.add_middleware(ObservedMiddleware, counters=service.counters, has_lines=lines.requests, has_texts=lines.texts)
    add_error_handlers(app, service.counters)
    add_reference(app, access.root_path)
    app.router.routes.append(Route("/mcp", tools))
    app.include_router(login_routes(access, " ".join(frame_ancestors)))
    app.include_router(search_routes(service))
    app.include_router(ask_routes(service))
    app.include_router(understand_routes(service, throttle))
    app.include_router(export_routes(service))
    app.include_router(feedback_routes(service))
    app.include_router(clip_routes(service))
    app.include_router(collection_routes(service))
    app.include_router(name_routes(service))
    if jobs is not None:
        app.include_router(job_routes(service, jobs))
        app.include_router(reindex_routes(jobs))
        app.include_router(openai_routes(service, jobs))
    app.include_router(recording_routes(service))
    app.include_router(speaker_routes(service))
    app.include_router(similar_routes(service))
    app.include_router(health_routes(service, jobs))
    app.include_router(metrics_routes(service))
    return app


def access_of(service: Service, is_framed: bool) -> Access:
    """Return what the settings allow to whom.

    Raises:
        ConfigurationError: a name or password hash of the settings cannot be used.
    """
    settings = service.settings
    return Access(
        accounts=Accounts.of(settings.auth, settings.data_dir.expanduser()),
        failures=Failures(FAILURES_A_MINUTE),
        is_owner=bool(settings.auth.users) or service.browse.uploads == "shared",
        may_add=service.browse.uploads != "off",
        may_read=settings.auth.visitors == "read",
        is_framed=is_framed,
        root_path=settings.server.root_path.rstrip("/"),
    )
