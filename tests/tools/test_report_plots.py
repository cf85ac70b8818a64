"""Plots put each value at its place, and no label on another."""

from collections.abc import Sequence
from itertools import pairwise
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tools.report.plots import curves, dots
from tools.report.plots.axis import linear, logarithmic, marked
from tools.report.plots.curves import CurveLine, CurvePoint
from tools.report.plots.dots import Dot
from tools.report.plots.labels import spread


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([4600, 110], ["0", "1,000", "2,000", "3,000", "4,000", "5,000"]),
        ([0.3], ["0", "0.1", "0.2", "0.3"]),
        ([1.0], ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        ([0.0], ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        ([], ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        ([-3.0, 9.0], ["-5", "0", "5", "10"]),
    ],
)
def test_a_linear_axis_has_0_and_every_value_in_round_steps(values: list[float], ticks: list[str]) -> None:
    axis = linear(values)
    assert [text for _, text in axis.ticks] == ticks
    assert (axis.place(axis.ticks[0][0]), axis.place(axis.ticks[-1][0])) == (0, 1)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.07, 0.3], ["0.05", "0.1", "0.2", "0.5"]),
        ([3, 40], ["2", "5", "10", "20", "50"]),
        ([0.3, 30_000], ["1", "10", "100", "1,000", "10,000"]),
        ([10], ["10"]),
    ],
)
def test_a_logarithmic_axis_has_ticks_at_powers_of_ten_or_in_three_steps(values: list[float], ticks: list[str]) -> None:
    assert [text for _, text in logarithmic(values).ticks] == ticks


def test_a_logarithmic_axis_ends_near_its_values() -> None:
    axis = logarithmic([0.3, 30_000])
    assert (axis.low, axis.high) == (0.2, 50_000)


def test_equal_ratios_are_equal_lengths_on_a_logarithmic_axis() -> None:
    axis = marked([(1, "1"), (10, "10"), (1000, "1,000")], log=True)
    assert [axis.place(value) for value, _ in axis.ticks] == pytest.approx([0, 1 / 3, 1])


def test_the_only_value_of_an_axis_is_in_its_middle() -> None:
    assert marked([(10, "10")], log=True).place(10) == 0.5


@given(some.lists(some.floats(-20, 400), max_size=30))
def test_labels_never_overlap_and_stay_inside_where_there_is_room(wanted: list[float]) -> None:
    places = spread(wanted, 10, 300)
    assert all(second - first >= 10 - 1e-6 for first, second in pairwise(sorted(places)))
    assert all(-1e-6 <= place <= 300 + 1e-6 for place in places)
    assert [wanted[index] for index in sorted(range(len(wanted)), key=lambda at: places[at])] == sorted(wanted)


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ([100.0, 20.0], [100, 20]),
        ([50.0, 52.0], [46, 56]),
        ([0.0, 0.0, 0.0], [0, 10, 20]),
        ([300.0, 299.0], [300, 290]),
    ],
)
def test_labels_that_are_too_close_move_apart_by_the_same_distance(wanted: list[float], places: list[float]) -> None:
    assert spread(wanted, 10, 300) == pytest.approx(places)


def tree(markup: str) -> Element:
    return ElementTree.fromstring(f"<root>{markup}</root>")


def of_class(root: Element, name: str) -> list[Element]:
    return [each for each in root.iter() if name in each.get("class", "").split()]


def per_cent(text: str | None) -> float:
    return float((text or "").removesuffix("%"))


def dot(label: str, value: float | None, low: float | None = None, high: float | None = None, note: str = "") -> Dot:
    return Dot(label, "loops", value, low, high, "" if value else "void", note)


def drawn_dots(arms: Sequence[Dot], *, higher_is_better: bool = True) -> Element:
    markup = dots.draw(arms, title="Rate", unit="calls/s", text="{:.0f}".format, higher_is_better=higher_is_better)
    return tree(markup)


ARMS = [
    dot("seda", None, note="void: the driver was busy"),
    dot("reactor", 800, 750, 900),
    dot("proactor", 1000, 950, 1000),
    dot("thread_pool", 300),
]


@pytest.mark.parametrize(
    ("higher_is_better", "order", "better"),
    [
        (True, ["proactor", "reactor", "thread_pool", "seda"], "higher is better"),
        (False, ["thread_pool", "reactor", "proactor", "seda"], "lower is better"),
    ],
)
def test_the_best_arm_comes_first_and_what_was_not_measured_last(
    higher_is_better: bool, order: list[str], better: str
) -> None:
    root = drawn_dots(ARMS, higher_is_better=higher_is_better)
    assert [row.get("data-arm") for row in root.iter("li")] == order
    assert better in "".join(root.itertext())


def test_each_measured_arm_has_one_dot_at_its_value_and_its_interval_around_it() -> None:
    rows = {row.get("data-arm"): row for row in drawn_dots(ARMS).iter("li")}
    assert {name: [per_cent(circle.get("cx")) for circle in row.iter("circle")] for name, row in rows.items()} == {
        "proactor": [100], "reactor": [80], "thread_pool": [30], "seda": [],
    }  # fmt: skip
    intervals = {
        name: (per_cent(one.get("x1")), per_cent(one.get("x2")))
        for name, row in rows.items()
        for one in of_class(row, "interval")
    }
    assert intervals == {"proactor": (95, 100), "reactor": (75, 90)}


def test_an_arm_without_a_value_shows_the_reason() -> None:
    row = list(drawn_dots(ARMS).iter("li"))[-1]
    assert "void: the driver was busy" in "".join(row.itertext())


def drawn_curves(*lines: CurveLine, proportional: bool = False) -> Element:
    x = marked([(1, "1"), (10, "10"), (100, "100")], log=True)
    y = linear(point.y for line in lines for point in line.points if point.y is not None)
    plot = curves.draw(
        lines,
        x=x,
        y=y,
        title="Throughput",
        x_title="connections",
        y_title="calls/s, higher is better",
        proportional=proportional,
    )
    return tree(plot)


def test_ticks_without_room_for_their_text_are_marks_only() -> None:
    x = marked([(number, str(number)) for number in (0, 10, 100, 1000)])
    root = tree(curves.draw([], x=x, y=linear([1.0]), title="", x_title="", y_title=""))
    assert [text.text for text in of_class(root, "tick") if "x" in (text.get("class") or "").split()][:4] == [
        "0", None, "100", "1000",
    ]  # fmt: skip


def test_each_line_goes_through_its_points_and_those_with_a_text_have_a_dot() -> None:
    root = drawn_curves(
        CurveLine(
            "reactor", "loops", [CurvePoint(1, 0, text="0"), CurvePoint(10, 500), CurvePoint(100, 1000, text="1,000")]
        )
    )
    (path,) = of_class(root, "line")
    assert path.get("d") == "M0 300L50 150L100 0"
    assert [(per_cent(one.get("cx")), float(one.get("cy", ""))) for one in root.iter("circle")] == [
        (0, 300), (100, 0),
    ]  # fmt: skip


def test_a_value_that_is_missing_is_a_gap() -> None:
    root = drawn_curves(
        CurveLine("reactor", "loops", [CurvePoint(1, 1000), CurvePoint(10, None), CurvePoint(100, 1000)])
    )
    (path,) = of_class(root, "line")
    assert path.get("d") == "M0 0M100 0"


def test_an_interval_reaches_from_its_low_end_to_its_high_end() -> None:
    root = drawn_curves(CurveLine("reactor", "loops", [CurvePoint(1, 1000, 500, 1000)]))
    (interval,) = of_class(root, "interval")
    assert (float(interval.get("y1", "")), float(interval.get("y2", ""))) == (150, 0)


def test_every_line_is_labelled_at_its_end_and_equal_ends_do_not_overlap() -> None:
    names = [f"model_{number}" for number in range(17)]
    root = drawn_curves(*(CurveLine(name, "loops", [CurvePoint(1, 5), CurvePoint(100, 5)]) for name in names))
    texts = [text for label in of_class(root, "label") for text in label.iter("text")]
    assert sorted(text.text or "" for text in texts) == sorted(names)
    places = sorted(float(text.get("y", "")) for text in texts)
    assert all(second - first >= curves.LINE_OF_TEXT - 0.01 for first, second in pairwise(places))


def test_options_are_below_the_model_in_a_label() -> None:
    root = drawn_curves(CurveLine("thread_pool threads=8", "threads", [CurvePoint(1, 5)]))
    (label,) = of_class(root, "label")
    assert [text.text for text in label.iter("text")] == ["thread_pool", "threads=8"]


def test_a_fitted_curve_replaces_the_line_between_the_points() -> None:
    root = drawn_curves(
        CurveLine("reactor", "loops", [CurvePoint(1, 1000), CurvePoint(100, 0)], [(1, 1000), (10, 500)])
    )
    (path,) = of_class(root, "line")
    assert path.get("d") == "M0 0L50 150"


def test_a_plot_without_a_value_says_so() -> None:
    root = drawn_curves(CurveLine("reactor", "loops", [CurvePoint(1, None)]))
    assert "not measured" in "".join(root.itertext())
