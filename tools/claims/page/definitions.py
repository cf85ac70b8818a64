"""What the words of the page mean: what a reader may hold it to."""

DEFINITIONS = {
    "holds": "The whole interval of each clause lies on the claim's side of its threshold.",
    "does not hold": "The whole interval of one clause lies on the other side.",
    "not distinguishable": (
        "The interval has both sides of the threshold in it after the last look. The number of further rounds is what "
        "would decide it if the figures stay as they are."
    ),
    "void": "A check failed, or too few rounds have a figure. The card has the reason.",
    "not here": "This machine lacks what the claim needs.",
    "measured": (
        "The figure is taken within each round, in which every arm is measured once, in random order. A machine that "
        "becomes slower therefore cancels out. Looks are made after 3, 5 and 8 rounds, with intervals of 99, 98.5 and "
        "97.5 %. The first look that decides ends it. Intervals are Student's, of logarithms for a ratio; of counts "
        "they are those of Clopper and Pearson."
    ),
    "counted": "The figure is exact: the programs or their code are asked once, and there is no interval.",
    "threshold": "Written into the claim's file before anything was measured. A change needs a reason with a date.",
    "prediction": "Written beside the threshold. It is shown, and decides nothing.",
    "figure": (
        "That of the first clause. Where another clause refutes the claim or leaves it open, it is that of this clause."
    ),
}
