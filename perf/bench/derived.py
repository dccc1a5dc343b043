"""derived: figures that follow from others of the same round."""
import dataclasses

from bench.figures import more_is_better, value_of


def each_round(make, *figures):
    """A figure made of others, in each round that has them all."""
    return [{"value": make(*map(value_of, samples))} if all(samples) else None
            for samples in zip(*figures)]


def efficiencies(figures):
    """What n workers make of n times the speed of one."""
    found = {}
    for key, samples in figures.items():
        alone = figures.get(dataclasses.replace(key, workers=1))
        if key.workers == 1 or not alone:
            continue
        slow, fast = (alone, samples) if more_is_better(key.unit) \
            else (samples, alone)
        name = dataclasses.replace(key, what=f"{key.what}: efficiency",
                                   unit="%")
        found[name] = each_round(
            lambda one, many, n=key.workers: 100 * many / (n * one),
            slow, fast)
    return found


def shares(figures, serial):
    """What is ideal where the serial way is the floor: its time, divided
    among the workers of weft."""
    found = {}
    for key in figures:
        if key.by != "weft" or key.workers == 1:
            continue
        for by in serial:
            alone = figures.get(dataclasses.replace(key, by=by, workers=1))
            if alone:
                name = dataclasses.replace(key, by=f"{by} / workers")
                found[name] = each_round(
                    lambda one, n=key.workers: one / n, alone)
    return found


def constructions(figures):
    """Until a graph can be run: weft draws it and compiles it, others only
    draw."""
    found = {}
    for key, drawn in figures.items():
        if key.what != "draw":
            continue
        compiled = figures.get(dataclasses.replace(key, what="compile"))
        name = dataclasses.replace(key, what="draw + compile")
        found[name] = each_round(lambda a, b: a + b, drawn, compiled) \
            if compiled else drawn
    return found


def statistics_cost(figures):
    """What weft takes more with its statistics."""
    found = {}
    for key, without in figures.items():
        more = figures.get(dataclasses.replace(key, by="weft statistics"))
        if key.by == "weft" and more:
            name = dataclasses.replace(key, what="statistics, more")
            found[name] = each_round(lambda on, off: on - off, more, without)
    return found


def growths(figures):
    """What ten times as many tasks make of the time of one."""
    found = {}
    for key, many in figures.items():
        tokens, of, tasks = key.case.partition(", ")
        few = figures.get(
            dataclasses.replace(key, case=f"{tokens}{of}1e5 tasks"))
        if tasks == "1e6 tasks" and few:
            name = dataclasses.replace(key, case=tokens, unit="x",
                                       what="1e6 tasks by 1e5")
            found[name] = each_round(lambda a, b: a / b, many, few)
    return found


def figures_of(row, figures):
    found = shares(figures, row.serial)
    if row.curves:
        found |= efficiencies(figures)
    if row.name == "dag":
        found |= constructions(figures)
    if row.name == "limit":
        found |= growths(figures)
    if row.name == "pipeline":
        found |= statistics_cost(figures)
    return {key: samples for key, samples in found.items() if any(samples)}
