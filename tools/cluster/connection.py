"""How requests reach the API server: its address, its certificate, and the header that authenticates.

In a pod, all of this is in files of its service account. So the Kubernetes package is imported only to read kubectl's
configuration. It takes 0.3 s of CPU, and a driver's pod may have half a CPU. Must not know what is requested.
"""

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import urllib3

from tools.address import Address

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""In a pod (kubernetes.io/docs/tasks/run-application/access-api-from-pod)."""


class NoConfigurationError(Exception):
    """Why no cluster is known: one line."""


@dataclass(frozen=True, slots=True)
class ApiConnection:
    """An API server, and who asks it."""

    host: str
    """As https://HOST:PORT."""
    pool: urllib3.PoolManager
    headers: Callable[[], Mapping[str, str]]
    """Those that authenticate a request that is sent now. A token may be replaced while the process runs."""
    namespace: str
    """The one to use if the user names none."""


def connect() -> ApiConnection:
    """To the cluster that this pod runs in, else to that of the current kubectl context.

    Raises NoConfigurationError.
    """
    return _from_pod() if _ACCOUNT.exists() else _from_kubeconfig()


def _from_pod() -> ApiConnection:
    at = Address(os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"]))

    def headers() -> Mapping[str, str]:
        return {"Authorization": f"Bearer {(_ACCOUNT / 'token').read_text(encoding='ascii').strip()}"}

    namespace = (_ACCOUNT / "namespace").read_text(encoding="ascii")
    return ApiConnection(
        f"https://{at}", urllib3.PoolManager(ssl_context=_trust(_ACCOUNT / "ca.crt")), headers, namespace
    )


def _from_kubeconfig() -> ApiConnection:
    from kubernetes import client, config  # noqa: PLC0415

    try:
        # The package reads the variable only once, when it is imported.
        path = os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())
        config.load_kube_config(path)
        context = config.list_kube_config_contexts(path)[1]
    except (config.ConfigException, OSError) as error:
        raise NoConfigurationError(" ".join(str(error).split()).rstrip(".")) from None
    made = client.ApiClient()
    pool: urllib3.PoolManager = made.rest_client.pool_manager
    if made.configuration.verify_ssl:
        pool.connection_pool_kw["ssl_context"] = _trust(made.configuration.ssl_ca_cert)

    def headers() -> Mapping[str, str]:
        return {each["key"]: each["value"] for each in made.configuration.auth_settings().values()}

    return ApiConnection(made.configuration.host, pool, headers, context["context"].get("namespace", "default"))


def _trust(authority: Path | str | None) -> ssl.SSLContext:
    """Trusts that authority; None: those of this machine."""
    context = ssl.create_default_context(cafile=authority)
    # Python 3.13 rejects authorities without a key usage extension. Those of kubeadm and others have none.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
