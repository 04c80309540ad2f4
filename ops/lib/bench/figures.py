"""Figures: repeats of one measurement, what they are compared with, and whether that is enough."""
import dataclasses
import json
import statistics


@dataclasses.dataclass
class Target:
    """`at least` or `at most` a number, of the value itself or of its ratio to what it is compared with."""
    direction: str
    bound: float
    of: str = "ratio"

    def reached(self, number):
        return number >= self.bound if self.direction == "at least" else number <= self.bound

    def __str__(self):
        return f"{'≥' if self.direction == 'at least' else '≤'} {self.bound:g}"


@dataclasses.dataclass
class Figure:
    scenario: str
    name: str
    unit: str
    values: list
    # What each value stands against, measured in the same turn, and what that is called.
    against: list = None
    against_name: str = ""
    target: Target = None
    note: str = ""

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def ratio(self):
        if not self.against:
            return None
        ratios = [value / other for value, other in zip(self.values, self.against) if other]
        return statistics.median(ratios) if ratios else None

    @property
    def reached(self):
        if self.target is None:
            return None
        number = self.ratio if self.target.of == "ratio" else self.median
        return None if number is None else self.target.reached(number)

    def line(self):
        text = f"{self.scenario}  {self.name:<52} {pretty(self.median):>10} {self.unit}"
        if len(self.values) > 1:
            text += f" ({pretty(min(self.values))} to {pretty(max(self.values))})"
        if self.against:
            text += f"; {self.ratio:.2f} of {self.against_name} {pretty(statistics.median(self.against))}"
        if self.target:
            text += f"; target {self.target}: {'reached' if self.reached else 'MISSED'}"
        return text + (f"; {self.note}" if self.note else "")

    def record(self):
        return {
            "scenario": self.scenario, "name": self.name, "unit": self.unit, "median": self.median,
            "minimum": min(self.values), "maximum": max(self.values), "values": self.values,
            "against": self.against_name or None, "against_values": self.against, "ratio": self.ratio,
            "target": str(self.target) if self.target else None, "target_of": self.target.of if self.target else None,
            "reached": self.reached, "note": self.note or None,
        }


def pretty(number):
    if abs(number) >= 1000:
        return f"{number:,.0f}"
    if abs(number) >= 10:
        return f"{number:.1f}"
    return f"{number:.3g}"


class Report:
    """Prints each figure as it comes and keeps all for the file."""

    def __init__(self):
        self.figures = []
        self.profiles = []

    def add(self, *arguments, **options):
        figure = Figure(*arguments, **options)
        self.figures.append(figure)
        print(figure.line(), flush=True)
        return figure

    def missed(self):
        return [figure for figure in self.figures if figure.reached is False]

    def write(self, path, conditions):
        with open(path, "w") as file:
            json.dump({"conditions": conditions, "figures": [figure.record() for figure in self.figures],
                       "profiles": self.profiles}, file, indent=1)
            file.write("\n")


def at_least(bound, of="ratio"):
    return Target("at least", bound, of)


def at_most(bound, of="ratio"):
    return Target("at most", bound, of)
