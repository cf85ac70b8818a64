"""`python -m tests.documents` writes the generated parts of the documents again, and the models of the chart."""

from tests.chart import generated as chart
from tests.documents import generated

if __name__ == "__main__":
    chart.write()  # first: a page is made of the chart's values
    generated.write()
