"""Where a release is. Every command that is run or recommended has all of it: a shorter one could act on another."""

import shlex
from dataclasses import dataclass, replace

from tools.deploy.programs import ask


@dataclass(frozen=True, slots=True)
class Place:
    """A release's name, its namespace, and the kubectl context of its cluster."""

    name: str
    namespace: str
    context: str

    def kubectl(self, *arguments: str, timeout_s: float = 20.0) -> str:
        """What kubectl prints. Raises ProgramError."""
        return ask("kubectl", *self._flags("--context"), *arguments, timeout_s=timeout_s)

    def helm(self, *arguments: str, timeout_s: float = 20.0) -> str:
        """What helm prints. Raises ProgramError."""
        return ask("helm", *self._flags("--kube-context"), *arguments, timeout_s=timeout_s)

    def kubectl_command(self, arguments: str) -> str:
        """The command line for a person."""
        return f"kubectl {shlex.join(self._flags('--context'))} {arguments}"

    def helm_command(self, arguments: str) -> str:
        """The command line for a person."""
        return f"helm {shlex.join(self._flags('--kube-context'))} {arguments}"

    def make(self, target: str, more: str = "", **other: str) -> str:
        """The `make` command line for a person; `other` are the name or the namespace of another release."""
        place = replace(self, **other)
        words = (f"RELEASE={place.name}", f"NAMESPACE={place.namespace}", f"CONTEXT={place.context}")
        return f"make {target} {shlex.join(words)}{more and ' ' + more}"

    def _flags(self, context_flag: str) -> tuple[str, ...]:
        return (context_flag, self.context, "--namespace", self.namespace)
