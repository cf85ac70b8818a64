"""How each number of the report is defined: what a reader may hold it to."""

DEFINITIONS: dict[str, str] = {
    "asked, got": (
        "What the driver was configured to do, and what it did. 1,000 x 1: a closed loop on 1,000 connections, each "
        "with 1 call open at all times. 1,000, 500/s: an open loop that sends 500 calls a second over 1,000 "
        "connections, independent of the answers."
    ),
    "calls/s": "Calls answered OK while measuring, divided by the time measured. Warm-up is not part of it.",
    "clients": (
        "Clients that got an answer, of those that had a call to send. Each connection is one client. Shown if some "
        "client got no answer."
    ),
    "Jain's index, longest wait": (
        "Fairness between clients: 1 if all get the same number of answers, 1/n if one of n gets all (Jain et al., "
        "1984). Longest wait: the longest time during which a client had a call due and got no answer. Shown if the "
        "index of a model is below 0.95."
    ),
    "calls/s in time": (
        "Goodput: calls per second that were answered OK within the deadline of the experiment. The deadline counts "
        "from the intended send. Shown if the experiment has a deadline."
    ),
    "first message, gap": (
        "Of replies that are streams: from the intended send to the first message, and from each message to the next."
    ),
    "kinds of calls": (
        "Each kind of a mix has its own percentiles. A kind waits for another one if its p99 is as long as the fastest "
        "call of the other kind, although its own fastest call takes less than half of that."
    ),
    "latency": (
        "The time from the intended send to the last byte of the reply, of calls answered OK. It includes the time "
        "that a call waits in a busy driver or for a full connection. In a closed loop the intended and the actual "
        "send are the same."
    ),
    "p50, p90, p99, p99.9": (
        "This percentage of the calls took this long or less. A call without an OK answer counts as slower than any "
        "answer: > 3 s means that the percentile lies at a call without an answer within 3 s. In a closed loop a "
        "client without an answer has the same weight as any other client. n<1,000 means that fewer than 1,000 calls "
        "were made: too few for one of them to lie beyond the percentile."
    ),
    "errors": (
        "Calls planned that ended in another status than OK, ran into the driver's timeout, or could not be sent."
    ),
    "unfinished": "Calls still open when measuring ended. Neither answered nor failed.",
    "CPU/call": (
        "User and system time of all processes of the service while measuring, divided by the calls answered OK."
    ),
    "memory": "Proportional set size of all processes when measuring ended. A page that n processes share counts 1/n.",
    "memory/conn.": (
        "Memory less that of the same model's trial with the fewest connections, divided by the connections added."
    ),
    "switches": (
        "Context switches of the service's threads while measuring, per call answered OK. "
        "Voluntary: the thread waited. Involuntary: the kernel interrupted it."
    ),
    "loop lag": "The longest iteration of the event loop. What becomes ready during it waits as long. "
    "A model without a loop has none.",
    "lateness": "From the intended to the actual send.",
    "service time": "From the actual send to the last byte of the reply.",
    "wire": "The driver's span less the service's: both kernels, the network, and bytes not yet read.",
    "queue, running, waiting": (
        "The service's spans: received and waiting for a worker; in the handler and not waiting; in the "
        "handler and waiting for the backend or a timer."
    ),
    "unexplained": "Service time that no span covers. Below 0 where the clocks of two hosts disagree.",
    "best, tied": (
        "Arms are compared round by round, block by block. An arm is tied with the best if the 95 % interval of their "
        "difference contains 0, corrected for the number of arms (Holm). Intervals are 95 % intervals."
    ),
    "not ranked": (
        "An arm is not ranked if its rate changed while measuring (start-up), if it answered no call or less than a "
        "tenth of the open calls of a closed loop, or if it served a smaller share of its clients than others. Such a "
        "figure does not describe a steady service."
    ),
}
