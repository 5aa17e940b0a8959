"""Routes about collections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request

from speechsearch.api.identity import visitor_of
from speechsearch.api.models import CollectionBody

if TYPE_CHECKING:
    from speechsearch.service import Service


def collection_routes(service: Service) -> APIRouter:
    """Return the routes below ``/api/v1/collections``."""
    router = APIRouter(prefix="/api/v1/collections", tags=["collections"])

    @router.get("")
    def collections(request: Request) -> list[CollectionBody]:
        """Return all collections and how much they hold."""
        return [CollectionBody.of(collection) for collection in service.collections(visitor_of(request))]

    return router
