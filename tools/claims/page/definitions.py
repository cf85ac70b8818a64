"""What the words of the page mean: what a reader may hold it to."""

DEFINITIONS = {
    "holds": "The whole interval of each clause lies on the claim's side of its threshold.",
    "does not hold": "The whole interval of one clause lies on the other side of its threshold.",
    "not distinguishable": (
        "After the last look the interval still contains the threshold. The number of further rounds would decide it "
        "if the figures stay as they are."
    ),
    "void": "A check failed, or too few rounds have a figure. The card has the reason.",
    "not here": "This machine lacks what the claim needs.",
    "measured": (
        "Each round measures every arm once, in random order, and yields one figure. A machine that becomes slower "
        "therefore cancels out. Looks follow rounds 3, 5 and 8, with intervals of 99, 98.5 and 97.5 %. The first look "
        "that decides ends the measurement. Intervals are Student's, of logarithms for a ratio. For counts they are "
        "those of Clopper and Pearson."
    ),
    "counted": "The figure is exact: the programs or their code are examined once, and there is no interval.",
    "threshold": "Written into the claim's file before anything was measured. A change needs a reason with a date.",
    "prediction": "Written beside the threshold. It is shown but does not affect the verdict.",
    "figure": (
        "The figure of the first clause. If another clause refutes the claim or leaves it open, the figure of that one."
    ),
}
