"""A client that knows nothing but an address can find out what to send there."""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection_pb2

from services.runtime.answers.reflection import PATHS, Reflection
from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.service import Service
from services.wire import Code
from tests.runtime.ends import Ends

WORKLOAD = "sweetspot.v1.Workload"


def ask(**question: str) -> reflection_pb2.ServerReflectionResponse:
    request = reflection_pb2.ServerReflectionRequest(**question)
    answer = Reflection([WORKLOAD]).answer(request.SerializeToString())
    return reflection_pb2.ServerReflectionResponse.FromString(answer)


def files(response: reflection_pb2.ServerReflectionResponse) -> dict[str, descriptor_pb2.FileDescriptorProto]:
    described = map(
        descriptor_pb2.FileDescriptorProto.FromString, response.file_descriptor_response.file_descriptor_proto
    )
    return {file.name: file for file in described}


@pytest.mark.parametrize(
    ("question", "file"),
    [
        ({"file_by_filename": "sweetspot/v1/control.proto"}, "sweetspot/v1/control.proto"),
        ({"file_containing_symbol": WORKLOAD}, "sweetspot/v1/workload.proto"),
        ({"file_containing_symbol": f"{WORKLOAD}.RunStream"}, "sweetspot/v1/workload.proto"),
        ({"file_containing_symbol": "sweetspot.v1.RunRequest"}, "sweetspot/v1/workload.proto"),
        ({"file_containing_symbol": "grpc.health.v1.Health"}, "grpc_health/v1/health.proto"),
        ({"file_containing_symbol": "grpc.reflection.v1.ServerReflection"}, "grpc/reflection/v1/reflection.proto"),
    ],
)
def test_a_symbol_or_a_name_leads_to_its_file(question: dict[str, str], file: str) -> None:
    assert file in files(ask(**question))


@pytest.mark.parametrize("service", ["sweetspot.v1.Backend", "grpc.reflection.v1.ServerReflection"])
def test_a_client_can_build_every_message_from_the_answer_alone(service: str) -> None:
    described = files(ask(file_containing_symbol=service))
    pool = descriptor_pool.DescriptorPool()
    while described:
        name = next(name for name, file in described.items() if not set(file.dependency) & described.keys())
        pool.Add(described.pop(name))
    assert [method.input_type.file.package for method in pool.FindServiceByName(service).methods] == [
        service.rpartition(".")[0]
    ]


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ({"file_by_filename": "no/such.proto"}, Code.NOT_FOUND),
        ({"file_containing_symbol": "no.such.Symbol"}, Code.NOT_FOUND),
        ({"file_containing_symbol": f"{WORKLOAD}.NoSuchMethod"}, Code.NOT_FOUND),
        ({"file_containing_symbol": ""}, Code.NOT_FOUND),
        ({"all_extension_numbers_of_type": "sweetspot.v1.RunRequest"}, Code.UNIMPLEMENTED),
        ({}, Code.UNIMPLEMENTED),
    ],
)
def test_what_cannot_be_answered_is_an_error_in_the_reply(question: dict[str, str], code: Code) -> None:
    assert ask(**question).error_response.error_code == code


@pytest.mark.parametrize("path", PATHS)
def test_one_stream_takes_one_question_after_the_other(path: bytes) -> None:
    service = Service("reactor", Config(), drain=Drain())
    ends = Ends(service.open_session(), service)
    call = ends.client.start(path.decode(), streaming=True)
    for question in (
        reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString(),
        b"\xff",  # no message at all: that is answered, too
        reflection_pb2.ServerReflectionRequest(file_by_filename="sweetspot/v1/workload.proto").SerializeToString(),
    ):
        ends.client.send_message(call, question)
    ends.client.end_requests(call)
    ends.talk()
    first, second, third = map(reflection_pb2.ServerReflectionResponse.FromString, ends.messages)
    assert {service.name for service in first.list_services_response.service} == {
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        WORKLOAD,
    }
    assert second.error_response.error_code == Code.INVALID_ARGUMENT
    assert third.original_request.file_by_filename == "sweetspot/v1/workload.proto"
    assert call.code is Code.OK
