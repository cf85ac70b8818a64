"""Load Jobs to apply by hand, beside the release `sweetspot` of the chart: what `sweetspot run --cluster` makes.

`python -m tools.cluster.examples FOLDER` writes them, as `make manifests` does.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import yaml
from msgspec.structs import replace

from tools import experiment
from tools.cluster import job
from tools.cluster.api import Object
from tools.experiment import Experiment, Load
from tools.trial_specs import only


@dataclass(frozen=True, slots=True)
class Example:
    """One trial as a Job."""

    introduction: str
    shards: int
    balance: str
    asked: Experiment

    def text(self, name: str) -> str:
        """The file, of images as tagged by the chart."""
        load = job.LoadSettings(
            release="sweetspot",
            first="sweetspot",
            run=name,
            pod=driver_pod(),
            shards=self.shards,
            balance=self.balance,
            otlp_endpoint="http://sweetspot-jaeger:4318",
        )
        made = job.manifest(load, self.asked, only(self.asked))
        header = _HEADER.format(introduction=self.introduction, name=name, job=made["metadata"]["name"])
        return header + yaml.dump(made, Dumper=_AsWritten, sort_keys=False, width=120)


def driver_pod() -> Object:
    """The template of a driver's pod as the chart makes it of its own values."""
    driver = (Path(__file__).parents[2] / "k8s" / "driver.yaml").read_text(encoding="utf-8")
    (made,) = [each for each in yaml.safe_load_all(driver) if each["kind"] == "ConfigMap"]
    pod: Object = yaml.safe_load(made["data"]["pod.yaml"])
    return pod


_SMOKE = experiment.read(experiment.path_of("smoke"))
EXAMPLES = {
    "closed-loop": Example(
        "Two drivers with two connections each, and on each always one call: as fast as the model answers",
        shards=2,
        balance="headless",
        asked=replace(_SMOKE.of(["reactor"]), load=Load(connections=(4,), streams=(1,))),
    ),
    "open-loop": Example(
        "One driver that sends 100 calls/s, answered or not: a wait counts from when a call was due",
        shards=1,
        balance="per-connection",
        asked=replace(
            _SMOKE.of(["coroutines"]),
            title="Does it keep up?",
            load=Load(connections=(10,), rate_rps=(100.0,), arrival="poisson"),
            duration_s=10.0,
        ),
    ),
}
"""Name of the file and of the run -> what is in it."""

_HEADER = """\
# {introduction}.
# Beside what `kubectl apply -k k8s` makes:
#
#     kubectl -n sweetspot apply -f k8s/examples/{name}.yaml
#     kubectl -n sweetspot logs -f -l batch.kubernetes.io/job-name={job}
#     sweetspot results pull {name} -n sweetspot
#
# Its results are kept under one name, so that before it is run again these have to go:
#
#     kubectl -n sweetspot delete job,configmap -l sweetspot.dev/run={name}
#
# Made by `make manifests`; tools/cluster/job.py says why each line is there.
"""


class _AsWritten(yaml.SafeDumper):
    """No references, and texts of several lines as such: as a person would write it."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_AsWritten.add_representer(str, _text)


if __name__ == "__main__":
    for name, example in EXAMPLES.items():
        Path(sys.argv[1], f"{name}.yaml").write_text(example.text(name), encoding="utf-8")
