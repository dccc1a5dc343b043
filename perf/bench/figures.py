"""figures: what the rounds of a row say when they are taken together.

A figure is a result of one contestant: it is known by its case, what it is,
who made it, with how many workers, and its unit. It has a value in each round;
a latency has a median, a minimum and a p99 in each.
"""
import dataclasses
import math
import statistics


@dataclasses.dataclass(frozen=True)
class Key:
    case: str
    what: str
    by: str
    workers: int
    unit: str


def more_is_better(unit):
    return unit.endswith("/s")


def rank(values, share):
    """The smallest value that at least this share of them does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def value_of(sample):
    """What is compared: of a latency its median. None where it is missing."""
    return sample and sample.get("value", sample.get("median"))


def is_latency(samples):
    return any(sample and "value" not in sample for sample in samples)


def summary(samples):
    """Of one figure, over the rounds that have it. A latency has its p99 from
    within each round, of which the median counts; anything else from among the
    rounds."""
    there = [sample for sample in samples if sample]
    values = [value_of(sample) for sample in there]
    found = {"median": statistics.median(values),
             "rounds": [value_of(sample) for sample in samples]}
    if "size" in there[-1]:
        found["size"] = there[-1]["size"]
    if not is_latency(samples):
        return {**found, "min": min(values), "p99": rank(values, 0.99)}
    return {**found, "min": min(sample["min"] for sample in there),
            "p99": statistics.median(sample["p99"] for sample in there),
            "latency": True}


def rounds_of(found):
    """How many rounds a result or a ratio is of."""
    return sum(value is not None for value in found["rounds"])


def quotient(ours, theirs, lack_is_never):
    """Of one round. None where there is nothing to divide, or to divide by."""
    if lack_is_never and (ours is None) != (theirs is None):
        return math.inf if ours is None else 0
    return value_of(ours) / value_of(theirs) \
        if ours and theirs and value_of(theirs) else None


def ratio(ours, theirs, lack_is_never=False):
    """The median of the ratios of each round, and these: a noisy neighbour
    hits both of a round alike. None where no round has one."""
    rounds = [quotient(a, b, lack_is_never) for a, b in zip(ours, theirs)]
    rounds = [found for found in rounds if found is not None]
    if not rounds:
        return None
    return {"median": statistics.median(rounds), "rounds": rounds}


def ratios(figures, lack_is_never=False):
    """weft against every other, where they did the same. Shares have none, and
    neither have ratios. What a round lacks was not measured; or it is never
    reached, however long the time."""
    found = []
    for key, samples in figures.items():
        ours = figures.get(dataclasses.replace(key, by="weft"))
        if key.by == "weft" or not ours or key.unit in ("%", "x"):
            continue
        if compared := ratio(ours, samples, lack_is_never):
            found.append({"case": key.case, "what": key.what, "rival": key.by,
                          "workers": key.workers, "unit": key.unit,
                          **compared})
    return found


def drift(before, after):
    """How far the spin calibration moved, as a share: the core that moved
    most."""
    return max(abs(b / a - 1) for a, b in zip(before, after))
