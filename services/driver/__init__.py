"""The load driver: how fast a service answers, with every call accounted for. Must not know any model.

options.py      what is asked: the command line as one value
shard.py        which part of a run is this driver's
barrier.py      where shards meet, to begin together
balance.py      which pod each connection leads to
plan.py         the plan file -> the request of every call, of one kind or a mix
schedule_text.py  a schedule of changing rates, as it is written
schedule.py     when each call of an open loop is intended to be sent, and which calls are measured
connection.py   one connection: a socket, the session on it, the calls that wait
fleet.py        all connections, one for each client: opened, and opened again
loop.py         the one thread that sends and receives
streams.py      when the messages of streamed replies came
load.py         the phases of a slice: warm-up, measuring, the last answers
load_run.py     what one command line asks for, from its options to its result
processes.py    one run made by several processes of this machine
checkpoint.py   what a shard has measured so far, on disk
slices.py       the process that loads several services in turn, one slice at a time
outcome.py      what a slice got, by kind of call
accounts.py     where every planned call went
clients.py      what each client got, whatever became of its connections
samples.py      latencies -> HdrHistogram
tracing.py      which calls are traced, and their spans
result.py       all of it as JSON, by result.schema.json
merge.py        results of shards or of slices -> the result of the whole
summary.py      the same for a person
"""
