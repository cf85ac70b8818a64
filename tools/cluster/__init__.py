"""Experiments on Kubernetes. Must not know what is shown of them, nor what is measured: only the driver knows that.

connection.py how requests reach the API server: from a pod, and from elsewhere
api.py      the cluster's API, and each of its errors as one line for a person
release.py  what the chart has deployed: models, their pods, the image of the driver
job.py      the load Job of one trial: N driver pods, each a shard
shard.py    what runs in such a pod: the driver, the services' counters, the result into a ConfigMap
stopped_shard.py  the result of a shard that is asked to end
store.py    results in ConfigMaps: shards write them, and a later command reads them and puts them together
overview.py the stored runs, in a line each
search_note.py the note of a search on a Deployment that it changes, and how other commands avoid that Deployment
room.py     whether nodes have room for pods
ownership.py  a change after which helm is still the owner of the changed fields
pods.py     the state of pods, in words
trial.py    one trial: fresh services, a Job, its result
run.py      trial after trial, as tools/run.py does on this machine
"""
