"""The lab's server: the page, and an HTTP interface for programs. docs/lab.md describes both.

GET  /                  the page               GET  /api/models    the models and example sentences
GET  /healthz           {"status": "ok"}       GET  /api/schema    what each POST takes, as JSON schema
POST /api/translate     translations, batched across requests
POST /api/steps         every number of every step         POST /api/beam     what a beam weighed
POST /api/formula       the terms of one score             POST /api/score    log p of a given translation
POST /api/align         links of a given translation       POST /api/neighbours   nearest states of the training set
GET  /api/training      the newest lines of a run's log    POST /translator/translate   as OpenNMT-py's server
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nmt_attn.errors import UserError
from nmt_attn.lab.batcher import ModelThread
from nmt_attn.lab.guard import Guard, RefusedError, allowed_hosts
from nmt_attn.lab.page import PAGE_FILES, frozen_template
from nmt_attn.lab.payload import Json
from nmt_attn.lab.requests import OpenNMTItem
from nmt_attn.lab.service import BODIES, Lab, Service

Body = TypeVar("Body", bound=BaseModel)
Handler = Callable[[Request], Awaitable[Response]]

_OPENNMT = TypeAdapter(list[OpenNMTItem])


def make_app(lab: Lab, host: str = "127.0.0.1", token: str | None = None) -> Guard:
    """The ASGI application for a server on `host`, guarded."""
    service = Service(lab, ModelThread(lab.limits))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        service.thread.close()

    routes = [
        *(Route(f"/api/{name}", _posted(kind, answer), methods=["POST"]) for name, (kind, answer) in service.posts()),
        Route("/", _file("index.html")),
        *(Route(f"/static/{name}", _file(name)) for name in PAGE_FILES),
        Route("/static/frozen.html", _frozen),
        Route("/healthz", _health),
        Route("/api/models", _got(service.models)),
        Route("/api/schema", _schema),
        Route("/api/training", _training(service)),
        Route("/translator/translate", _opennmt(service), methods=["POST"]),
        Route("/translator/models", _opennmt_models(service)),
        Route("/translator/health", _health),
    ]
    handlers = {HTTPException: _http_error, UserError: _user_error, RefusedError: _refused, Exception: _fault}
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    return Guard(app, allowed_hosts(host, token), token, lab.limits)


def _posted(kind: type[Body], answer: Callable[[Body], Awaitable[Json]]) -> Handler:
    """The handler of a POST with a JSON body."""

    async def handle(request: Request) -> Response:
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media != "application/json":
            raise RefusedError(415, f"content-type: expected application/json, got {media[:80]!r}")
        try:
            body = kind.model_validate_json(await request.body())
        except ValidationError as error:
            raise _refusal(error) from error
        return JSONResponse(await answer(body))

    return handle


def _got(answer: Callable[[], Awaitable[Json]]) -> Handler:
    async def handle(request: Request) -> Response:
        return JSONResponse(await answer())

    return handle


def _training(service: Service) -> Handler:
    async def handle(request: Request) -> Response:
        after = request.query_params.get("after", "0")
        if not after.isdecimal() or len(after) > 15:
            raise RefusedError(422, f"after: expected a number of bytes, got {after[:40]!r}")
        return JSONResponse(await service.training(int(after)))

    return handle


def _opennmt(service: Service) -> Handler:
    """As OpenNMT-py's server answers."""

    async def handle(request: Request) -> Response:
        try:
            items = _OPENNMT.validate_json(await request.body())
        except ValidationError as error:
            raise _refusal(error) from error
        return JSONResponse(await service.opennmt(items))

    return handle


def _opennmt_models(service: Service) -> Handler:
    models = [{"model_id": place, "status": "loaded", "name": name} for place, name in enumerate(service.lab.models)]

    async def handle(request: Request) -> Response:
        return JSONResponse(models)

    return handle


def _refusal(error: ValidationError) -> RefusedError:
    """The first mistake as one sentence: 400 for what is no JSON, else 422."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part)[:40] for part in first["loc"]) or "body"
    return RefusedError(400 if first["type"] == "json_invalid" else 422, f"{where}: {first['msg']}")


def _file(name: str) -> Handler:
    """A file of the page, read when the server starts: no path that is asked for is ever opened."""
    content, media = PAGE_FILES[name]

    async def handle(request: Request) -> Response:
        return Response(content, media_type=media)

    return handle


async def _frozen(request: Request) -> Response:
    return Response(frozen_template(), media_type="text/plain; charset=utf-8")


async def _health(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _schema(request: Request) -> Response:
    return JSONResponse({f"/api/{name}": kind.model_json_schema() for name, kind in BODIES.items()})


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": f"{request.url.path[:80]}: {error.detail}"}, error.status_code)


async def _user_error(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 422)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return JSONResponse({"error": error.sentence}, error.status)


async def _fault(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "a fault in the server; its terminal says more"}, 500)
