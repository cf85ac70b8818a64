"""From the checkout to a cluster and back: images, the chart's release, and what to do where something is missing.

    images.py    which images there are, and who builds them
    nodes.py     how an image comes to the nodes of a cluster
    release.py   the chart installed and removed
    release_commands.py  the commands of kubectl, helm and make for one release
    trouble.py   why pods are not ready, in a line each
    programs.py  helm, kubectl and others, asked with a time limit

What fails ends with one message that names the object and the next command to try.
"""
