"""What Kubernetes wants as text is text, whatever YAML would read it as: names, labels, annotations, variables."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, helm, needs_helm, render_values

pytestmark = needs_helm


class _AsGoReads(yaml.SafeLoader):
    """With the numbers that Go's YAML knows and PyYAML does not: 1e3, 0o17."""


_AsGoReads.add_implicit_resolver(
    "tag:yaml.org,2002:null",
    re.compile(r"^([-+]?[0-9][0-9_]*(\.[0-9]*)?[eE][-+]?[0-9]+|0o[0-7]+)$"),
    list("+-0123456789"),
)

TEXTS = {"name", "namespace", "labels", "annotations", "matchLabels", "selector", "value", "claimName", "image", "args"}
"""Fields whose values are text, or lists or maps of it."""


def not_text(tree: Any, path: str = "", *, text: bool = False) -> Iterator[str]:
    """Where there is something else."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if text and not isinstance(key, str):
                yield f"{path}/{key!r}"
            yield from not_text(value, f"{path}/{key}", text=text or key in TEXTS)
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from not_text(value, f"{path}/{index}", text=text)
    elif text and not isinstance(tree, str):
        yield f"{path}: {tree!r}"


@pytest.mark.parametrize(("release", "namespace"), [("true", "1234"), ("null", "0x1f"), ("y", "1e3")])
def test_a_name_that_yaml_reads_as_something_else_stays_a_name(release: str, namespace: str) -> None:
    text = render_values(
        {
            "networkPolicy": {"namespaces": ["1234", "1e3", "true", "null"]},
            "jaeger": {"storage": "badger", "badger": {"claim": "1e3"}},
            "models": {"reactor": {"nodeSelector": {"true": "1e3"}}},
        },
        release,
        namespace,
    )
    documents = [document for document in yaml.load_all(text, _AsGoReads) if document]
    assert not [where for document in documents for where in not_text(document)]
    assert {each["metadata"]["labels"]["app.kubernetes.io/instance"] for each in documents} == {release}


@pytest.mark.parametrize("release", ["1234", "0x1f"])
def test_a_release_that_no_service_can_be_named_after_is_refused(release: str) -> None:
    assert "begin with a letter" in helm("template", release, str(CHART)).stderr
