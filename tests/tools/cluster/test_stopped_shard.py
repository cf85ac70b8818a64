"""A shard that is asked to end while it loads stores what it has measured."""

import os
import re
import signal

import pytest

from tests.serving import serving
from tests.tools.cluster.shards import ARGUMENTS, ENVIRON, lead_to, stored_parts
from tests.tools.fake_cluster import FakeCluster
from tools.cluster import shard
from tools.cluster.api import Api
from tools.cluster.shard import Counters, PodCounters
from tools.cluster.store import VoidTrialError, assemble, parts_of
from tools.local import Programs
from tools.results import TrialId

LONG = "title: How long?\nconnections: [2]\nmodels: [reactor]\nplan: {}\nrounds: 1\nwarmup_s: 0\nduration_s: 60\n"


@pytest.mark.usefixtures("quiet")
def test_a_shard_that_is_stopped_while_it_measures_stores_how_many_calls_were_answered(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[PodCounters] = []
    read = Counters.read

    def read_and_stop(counters: Counters) -> PodCounters:
        readings.append(read(counters))
        if len(readings) == 2:  # the first one opens the channels, the second one is made when measuring begins
            os.kill(os.getpid(), signal.SIGTERM)
        return readings[-1]

    with serving("reactor") as service:
        lead_to(cluster, service.address, service.control, monkeypatch)
        monkeypatch.setattr(shard, "SpanTally", lambda *_: None)  # it reads counters too
        monkeypatch.setattr(Counters, "read", read_and_stop)
        with pytest.raises(SystemExit):
            shard.main(ARGUMENTS, {**ENVIRON, "EXPERIMENT": LONG})
    (part,) = stored_parts(cluster)
    assert part.keys() == {"trial", "void"}
    (why,) = part["void"]
    assert re.fullmatch(r"shard 0 of 1 on n1 was stopped after [\d,]+ calls answered OK", why)
    with pytest.raises(VoidTrialError, match=f"^{re.escape(why)}$"):
        assemble(parts_of(Api.connect(), "mine", TrialId.parse("reactor-2-1")), Programs())
