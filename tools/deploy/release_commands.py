"""Commands for one release, to run or to recommend.

Every command names release, namespace and context. Without one of them, it could act on another release.
"""

import shlex
from dataclasses import dataclass, replace

from tools.deploy.programs import ask


@dataclass(frozen=True, slots=True)
class ReleaseCommands:
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
        release = replace(self, **other)
        words = (f"RELEASE={release.name}", f"NAMESPACE={release.namespace}", f"CONTEXT={release.context}")
        return f"make {target} {shlex.join(words)}{more and ' ' + more}"

    def _flags(self, context_flag: str) -> tuple[str, ...]:
        return (context_flag, self.context, "--namespace", self.namespace)
