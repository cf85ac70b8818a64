"""The goldens: manifests for values that between them turn everything on and off. Committed, to be read."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.chart.rendering import render

GOLDENS = Path(__file__).parent / "goldens"

CASES: Mapping[str, Callable[[], str]] = {
    "one-model": lambda: render(only=["reactor"]),
    "no-model": lambda: render(
        'jaeger={"enabled": false}',
        'backend={"enabled": false}',
        'experiments={"enabled": false}',
        'networkPolicy={"enabled": false}',
        only=[],
    ),
    "every-value": lambda: render(
        'image={"registry": "registry.example/team", "tag": "1.2.3", "pullPolicy": "Always"}',
        'models.thread_pool={"replicas": 3, "cpu": 2, "memory": "1Gi", "preStopSeconds": 9}',
        'models.thread_pool.options={"queue_bound": 10, "drain_timeout_s": 20.5}',
        'models.thread_pool.seccompProfile={"type": "Localhost", "localhostProfile": "sweetspot/io-uring.json"}',
        'models.thread_pool.nodeSelector={"pool": "measured"}',
        'models.thread_pool.tolerations=[{"key": "measured", "operator": "Exists", "effect": "NoSchedule"}]',
        'jaeger={"enabled": false}',
        'otlp={"endpoint": "http://[fd00::1]:4318"}',
        'ipFamilyPolicy="RequireDualStack"',
        'networkPolicy={"namespaces": ["load"]}',
        only=["thread_pool"],
    ),
    "traces-in-files": lambda: render('jaeger={"storage": "badger", "badger": {"claim": "traces"}}', only=[]),
    "autoscaled": lambda: render(
        'experiments={"enabled": false}',
        'models.coroutines.autoscaling={"enabled": true, "minReplicas": 2, "maxReplicas": 8, "cpuPercent": 60}',
        only=["coroutines"],
    ),
}
