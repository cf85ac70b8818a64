"""How each number of the report is defined: what a reader may hold it to."""

DEFINITIONS: dict[str, str] = {
    "asked, got": (
        "What the driver was told to do beside what it did. 1,000 x 1: a closed loop on 1,000 connections, each with "
        "1 call open at all times. 1,000, 500/s: an open loop that sends 500 calls a second over 1,000 connections, "
        "whatever comes back."
    ),
    "calls/s": "Calls answered OK while measuring, divided by the time measured. Warm-up is not part of it.",
    "clients": (
        "Clients that got an answer, of those that had a call to send. Each connection is one client. Shown where some "
        "got none."
    ),
    "Jain's index, longest wait": (
        "Fairness between clients: 1 where all get as many answers, 1/n where one of n gets all (Jain et al., 1984). "
        "The longest time while measuring that a client had a call due and got no answer. Shown where the index of a "
        "model is below 0.95."
    ),
    "calls/s in time": (
        "Goodput: calls answered OK within the deadline of the experiment, a second. The deadline counts from the "
        "intended send. Shown where there is a deadline."
    ),
    "first message, gap": (
        "Of replies that are streams: from the intended send to the first message, and from each message to the next."
    ),
    "kinds of calls": (
        "Each kind of a mix has percentiles of its own. A kind waits for another one where its p99 is as long as the "
        "other's fastest call, though its own fastest call takes less than half of that."
    ),
    "latency": (
        "From the intended send to the last byte of the reply, of calls answered OK: a call that a busy "
        "driver or a full connection sends late has been waiting all the same. In a closed loop the intended "
        "send is the actual one."
    ),
    "p50, p90, p99, p99.9": (
        "So many per cent of the calls took this long or less. A call without an OK answer counts as slower than any "
        "answer: > 3 s says that so many calls had none within 3 s. In a closed loop a client without an answer weighs "
        "as much as any other client. n<1,000 says that fewer calls than that were made: too few for one of them to "
        "lie beyond the percentile."
    ),
    "errors": (
        "Calls planned that ended in another status than OK, ran into the driver's timeout, or could not be sent."
    ),
    "unfinished": "Calls still open when measuring ended. Neither answered nor failed.",
    "CPU/call": (
        "User and system time of all processes of the service while measuring, divided by the calls answered OK."
    ),
    "memory": "Proportional set size when measuring ended, all processes; a page that n share counts 1/n.",
    "memory/conn.": (
        "Memory less that of the same model's trial with the fewest connections, divided by the connections added."
    ),
    "switches": (
        "Context switches of the service's threads while measuring, per call answered OK. "
        "Voluntary: the thread waited. Involuntary: the kernel put it off the processor."
    ),
    "loop lag": "The most that the event loop ran behind its timer while measuring. A model without a loop has none.",
    "lateness": "From the intended to the actual send.",
    "service time": "From the actual send to the last byte of the reply.",
    "wire": "The driver's span less the service's: both kernels, the network, and bytes that nobody has read yet.",
    "queue, running, waiting": (
        "The service's spans: received and waiting for a worker; in the handler and not waiting; in the "
        "handler and waiting for the backend or a timer."
    ),
    "unexplained": "Service time that no span covers. Below 0 where the clocks of two hosts disagree.",
    "best, tied": (
        "Arms are compared round by round, block by block. An arm is tied with the best where the difference between "
        "them is not clear of 0 at 95 %, corrected for the number of arms (Holm). Intervals are of 95 %."
    ),
    "not ranked": (
        "An arm whose rate changed while it was measured (start-up), that answered nothing, or that served fewer of "
        "its clients than others: such a figure is none of a steady service for all."
    ),
}
