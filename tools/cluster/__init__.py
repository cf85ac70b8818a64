"""Experiments on Kubernetes. Must not know what is shown of them; what is measured is known to the driver alone.

api.py      the cluster's API, and what it refuses as one line for a person
release.py  what the chart has deployed: models, their pods, the image of the driver
job.py      the load Job of one trial: N driver pods, each a shard
shard.py    what runs in such a pod: the driver, the services' counters, the result into a ConfigMap
store.py    results in ConfigMaps: written by shards, found and put together by whoever comes back for them
overview.py the runs that are kept, in a line each
searched.py what a search notes on a Deployment that it changes, and who keeps off meanwhile
room.py     whether nodes have room for pods
ownership.py  a change that leaves helm the owner of what is changed
pods.py     how pods fare, in words
trial.py    one trial: fresh services, a Job, its result
run.py      trial after trial, as tools/run.py does on this machine
"""
