"""Which services a port serves and what their messages look like, in the form of gRPC reflection. Knows no connection.

Answers v1 and v1alpha alike: the two differ in nothing but the package's name, so one set of messages reads both.

Source: grpc/grpc-proto, grpc/reflection/v1/reflection.proto; grpc/grpc, doc/server-reflection.md.
"""

from collections.abc import Iterable

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha import reflection_pb2
from sweetspot.v1 import backend_pb2, control_pb2, workload_pb2

from services.wire import Code

SERVICES = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
PATHS = tuple(f"/{service}/ServerReflectionInfo".encode() for service in SERVICES)

# Importing a message registers its file in the pool; these are the files that a port may be asked for.
FILES = (backend_pb2.DESCRIPTOR, control_pb2.DESCRIPTOR, workload_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR)


class Reflection:
    """Answers ServerReflectionInfo for a port that serves `services` (full names)."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = sorted(services)
        self._pool = descriptor_pool.Default()

    def answer(self, request: bytes) -> bytes:
        """One message of the stream. What cannot be answered is an error in the reply, and the stream continues."""
        response = reflection_pb2.ServerReflectionResponse()
        try:
            asked = reflection_pb2.ServerReflectionRequest.FromString(request)
        except DecodeError:
            _refuse(response, Code.INVALID_ARGUMENT, "request is not a ServerReflectionRequest")
            return bytes(response.SerializeToString())
        response.valid_host = asked.host
        response.original_request.CopyFrom(asked)
        kind = asked.WhichOneof("message_request")
        try:
            if kind == "list_services":
                response.list_services_response.service.extend(
                    reflection_pb2.ServiceResponse(name=name) for name in self._services
                )
            elif kind == "file_by_filename":
                _describe(response, self._pool.FindFileByName(asked.file_by_filename))
            elif kind == "file_containing_symbol":
                _describe(response, self._file_of(asked.file_containing_symbol))
            else:
                _refuse(response, Code.UNIMPLEMENTED, f"{kind or 'an empty request'} is not supported")
        except KeyError as error:
            _refuse(response, Code.NOT_FOUND, str(error.args[0]))
        return bytes(response.SerializeToString())

    def _file_of(self, symbol: str) -> FileDescriptor:
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            # The pool knows a service but not its methods by name.
            service, _, method = symbol.rpartition(".")
            return self._pool.FindServiceByName(service).methods_by_name[method].containing_service.file


def _describe(response: reflection_pb2.ServerReflectionResponse, file: FileDescriptor) -> None:
    """The file and all that it imports, so that a client need not ask again."""
    files = {file.name: file}
    waiting = [file]
    while waiting:
        for imported in waiting.pop().dependencies:
            if imported.name not in files:
                files[imported.name] = imported
                waiting.append(imported)
    response.file_descriptor_response.file_descriptor_proto.extend(each.serialized_pb for each in files.values())


def _refuse(response: reflection_pb2.ServerReflectionResponse, code: Code, message: str) -> None:
    response.error_response.error_code = code
    response.error_response.error_message = message


def _register_v1() -> None:
    """grpcio-reflection ships v1alpha alone; v1's file is the same one under another package."""
    file = FileDescriptorProto.FromString(reflection_pb2.DESCRIPTOR.serialized_pb)
    file.name, file.package = "grpc/reflection/v1/reflection.proto", "grpc.reflection.v1"
    typed = [field for message in file.message_type for field in message.field if field.type_name]
    for field in typed:
        field.type_name = field.type_name.replace(".v1alpha.", ".v1.")
    for method in file.service[0].method:
        method.input_type = method.input_type.replace(".v1alpha.", ".v1.")
        method.output_type = method.output_type.replace(".v1alpha.", ".v1.")
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())


_register_v1()
