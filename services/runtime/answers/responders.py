"""What is asked about a service, on the port that serves its calls: health and reflection, answered by the thread that
reads.

Such a call never waits for a worker; where the reader is the worker it waits for the call before it, and the control
port does not. Knows no thread and no socket.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from services.runtime.answers import health, reflection
from services.wire import (
    CallReceived,
    Code,
    RequestMessage,
    RpcError,
    ServerCall,
    ServerEvent,
    ServerSession,
    Shape,
)

MAX_ANSWERS = 200
"""Answers on one stream: each is far larger than what asks for it, and a peer need not read what piles up."""

ImmediateMethod = Callable[[bytes], bytes]
"""A method that is answered by the thread that reads it: it takes microseconds and never waits.

Where it takes one message it may raise RpcError; where it takes a stream it is called for each message, and may not.
"""

Responder = Callable[[ServerSession, ServerEvent], bool]
"""Deals with an event of a call, without waiting either; False leaves it to the model."""


class Answering(Protocol):
    """The owner of the answers: a service, or its control port."""

    def responder(self, call: ServerCall) -> Responder | None: ...


def answers(services: Iterable[str], states: health.Health) -> dict[bytes, tuple[Shape, ImmediateMethod]]:
    """Health and reflection of a port that serves `services` (full names), by path."""
    described = reflection.Reflection((*services, health.SERVICE, *reflection.SERVICES))
    return {
        health.CHECK_PATH: (Shape.UNARY, states.check),
        health.LIST_PATH: (Shape.UNARY, states.list),
        **dict.fromkeys(reflection.PATHS, (Shape.BIDIRECTIONAL, described.answer)),
    }


def responders(answers: Mapping[bytes, tuple[Shape, ImmediateMethod]]) -> dict[bytes, Responder]:
    """How a session gives those answers, by path."""
    return {path: (_each if shape.client_streams else _once)(answer) for path, (shape, answer) in answers.items()}


def respond(session: ServerSession, asked: Answering, event: ServerEvent) -> bool:
    """Deals with an event of a call that has a responder; False for any other call, which is the model's to run."""
    responder = asked.responder(event.call)
    return responder is not None and responder(session, event)


def _once(answer: ImmediateMethod) -> Responder:
    def responder(session: ServerSession, event: ServerEvent) -> bool:
        call = event.call
        if isinstance(event, CallReceived):
            try:
                session.reply(call, answer(call.request))
            except RpcError as error:
                session.finish(call, error.code, error.message)
        return True

    return responder


def _each(answer: ImmediateMethod) -> Responder:
    def responder(session: ServerSession, event: ServerEvent) -> bool:
        call = event.call
        if isinstance(event, RequestMessage):
            given = call.context if isinstance(call.context, int) else 0
            call.context = given + 1
            if given < MAX_ANSWERS:
                session.send_message(call, answer(event.message))
                session.consumed(call, event.message)
            elif given == MAX_ANSWERS:
                session.finish(call, Code.RESOURCE_EXHAUSTED, f"more than {MAX_ANSWERS} messages on one stream")
        elif not isinstance(event, CallReceived):
            session.finish(call)
        return True

    return responder
