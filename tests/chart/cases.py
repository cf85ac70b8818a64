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
        f'image.digests={{"thread-pool": "sha256:{64 * "a"}"}}',
        'global={"imageRegistry": "mirror.example", "imagePullSecrets": ["of-all"]}',
        'imagePullSecrets=[{"name": "of-this"}]',
        'dashboard={"enabled": true, "labels": {"folder": "lab"}}',
        'nameOverride="bench"',
        'commonLabels={"team": "1e3"}',
        'defaults.affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": '
        '[{"matchExpressions": [{"key": "arm", "operator": "DoesNotExist"}]}]}}}',
        'defaults.topologySpreadConstraints=[{"maxSkew": 2, "topologyKey": "zone", '
        '"whenUnsatisfiable": "DoNotSchedule"}]',
        'defaults.priorityClassName="measured"',
        'defaults.runtimeClassName="gvisor"',
        'defaults.podSecurityContext={"runAsUser": null, "runAsGroup": null, "fsGroup": 1000650000}',
        'defaults.securityContext={"privileged": false}',
        'defaults.podLabels={"billing": "lab"}',
        'defaults.podAnnotations={"note": "true"}',
        'defaults.extraEnv=[{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}]',
        'defaults.extraVolumes=[{"name": "more", "emptyDir": {}}]',
        'defaults.extraVolumeMounts=[{"name": "more", "mountPath": "/more"}]',
        'defaults.serviceAccount={"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/r"}}',
        'driver={"nodeSelector": {"pool": "load"}}',
        # The first setting of a map: a later one replaces the whole map.
        'models.thread_pool={"replicas": 3, "cpu": 2, "memory": "1Gi", "preStopSeconds": 9}',
        'models.thread_pool.service={"type": "LoadBalancer", "annotations": {"lb": "internal"}}',
        'models.thread_pool.options={"queue_bound": 10, "drain_timeout_s": 20.5}',
        'models.thread_pool.seccompProfile={"type": "Localhost", "localhostProfile": "sweetspot/io-uring.json"}',
        'models.thread_pool.nodeSelector={"pool": "measured"}',
        'models.thread_pool.tolerations=[{"key": "measured", "operator": "Exists", "effect": "NoSchedule"}]',
        'jaeger={"enabled": false}',
        'otlp={"endpoint": "https://[fd00::1]:4318", "headers": {"secret": "token"}, "ca": {"configMap": "ca"}}',
        'ipFamilyPolicy="RequireDualStack"',
        'networkPolicy={"namespaces": ["load"]}',
        'metrics={"namespaces": ["monitoring"]}',
        only=["thread_pool"],
    ),
    "traces-in-files": lambda: render('jaeger={"storage": "badger", "badger": {"claim": "traces"}}', only=[]),
    "autoscaled": lambda: render(
        'experiments={"enabled": false}',
        'models.coroutines.autoscaling={"enabled": true, "minReplicas": 2, "maxReplicas": 8, "cpuPercent": 60, '
        '"behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}}',
        only=["coroutines"],
    ),
}
