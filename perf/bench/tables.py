"""tables: results for people, in a terminal and in Markdown."""
from bench import figures


def number(value):
    """Three digits that count, or all before the point."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.{1 if abs(value) >= 10 else 2}f}" if abs(value) >= 1 \
        else f"{value:.3g}"


def times(ratio, unit):
    """How many times as good weft is as the other, from weft / other."""
    if not ratio:
        return ""
    good = ratio if figures.more_is_better(unit) else 1 / ratio
    return f"{good:.1f}x" if good >= 0.95 else f"{good:.2f}x"


def shown(result):
    text = number(result["median"])
    if "latency" in result:
        text += f" (p99 {number(result['p99'])})"
    if missing := result["rounds"].count(None):
        all_of_them = len(result["rounds"])
        text += f" ({all_of_them - missing} of {all_of_them} rounds)"
    return text


def others(results):
    """The contestants, weft first and the floor second."""
    names = dict.fromkeys(result["by"] for result in results)
    front = [name for name in ("weft", "floor") if name in names]
    return front + [name for name in names if name not in front]


def grid(row, workers):
    """A table of the row's results with so many workers: its head and its
    lines, a column a contestant. In brackets, how many times as good weft
    is."""
    results = [r for r in row["results"] if r["workers"] == workers]
    compared = {(r["case"], r["what"], r["rival"], r["unit"]): r["median"]
                for r in row["ratios"] if r["workers"] == workers}
    names = others(results)
    lines = {}
    for r in results:
        line = lines.setdefault((r["case"], r["what"], r["unit"]), {})
        ratio = compared.get((r["case"], r["what"], r["by"], r["unit"]))
        line[r["by"]] = shown(r) + (f" ({times(ratio, r['unit'])})"
                                    if ratio else "")
    head = ["case", "what", "unit", *names]
    return head, [[*key, *(line.get(name, "") for name in names)]
                  for key, line in lines.items()]


def worker_counts(row):
    return sorted({r["workers"] for r in row["results"]})


def text_table(head, lines):
    widths = [max(len(cells[i]) for cells in [head, *lines])
              for i in range(len(head))]

    def laid_out(cells):
        return "  ".join(
            [cell.ljust(width) for cell, width in zip(cells[:3], widths)] +
            [cell.rjust(width) for cell, width in
             zip(cells[3:], widths[3:])]).rstrip()

    return "\n".join(laid_out(cells) for cells in [head, *lines])


def markdown_table(head, lines):
    rule = ["---"] * 3 + ["--:"] * (len(head) - 3)
    return "\n".join(f"| {' | '.join(cells)} |"
                     for cells in [head, rule, *lines])


def plural(count, word):
    return f"{count} {word}{'' if count == 1 else 's'}"


def noise(row):
    moved = [100 * c["moved"] for c in row["calibrations"]]
    text = "spin calibration moved " + \
        ", ".join(f"{percent:.1f} %" for percent in moved)
    lines = [ns for c in row["calibrations"] for ns in c.get("line", []) if ns]
    if lines:
        text += f"; a cache line there and back took {number(min(lines))}" \
            f" to {number(max(lines))} ns"
    return text + (": NOISY" if row["noisy"] else "")


def smaller(row):
    """Who did less than weft of the same work, and how much of it."""
    whole = {(r["case"], r["what"], r["workers"]): r["size"]
             for r in row["results"] if r["by"] == "weft" and "size" in r}
    parts = {}
    for r in row["results"]:
        size = whole.get((r["case"], r["what"], r["workers"]))
        if size and r.get("size", size) < size:
            part = f"{100 * r['size'] / size:.2g} %"
            parts.setdefault(r["by"], {}).setdefault(part, {})[r["case"]] = 1
    for by, cases in parts.items():
        yield by + " " + ", ".join(
            part + (f" ({', '.join(those)})" if len(cases) > 1 else "")
            for part, those in cases.items())


def absent(row):
    """Who did not take part, or not in all of it, and why."""
    if row["skipped"]:
        yield "not installed or not built: " + ", ".join(row["skipped"])
    for name, sentence in row["failed"].items():
        yield f"failed: {name}: {sentence}"
    if row["in_part"]:
        yield "a part of the work, because it takes long: " + ", ".join(
            f"{name} {percent} %" for name, percent in row["in_part"].items())
    if less := list(smaller(row)):
        yield "did a part of what weft did: " + "; ".join(less)


def verdict(v, rounds):
    against = f" x {v['rival']}" if v["rival"] else ""
    fate = "met" if not v["missed_by"] else \
        f"missed by {100 * v['missed_by']:.0f} %"
    if v.get("rounds", rounds) < rounds:
        against += f" (of {v['rounds']} rounds)"
    which = ", ".join(filter(None, (v["case"], v["what"])))
    return (f"{which}, {plural(v['workers'], 'worker')}: "
            f"{number(v['value'])}{against}"), fate


def goal_lines(row):
    """Each goal, what was measured for it, and whether that is enough."""
    found = {}
    for v in row["goals"]:
        found.setdefault(v["goal"], []).append(verdict(v, row["rounds"]))
    return found


def row_text(name, row):
    """All about one row, for a terminal."""
    parts = [f"== {name}: {row['question']}",
             f"   {plural(row['rounds'], 'round')} in {row['seconds']:.0f} s; "
             f"{noise(row)}"]
    parts += [f"   {line}" for line in absent(row)]
    for workers in worker_counts(row):
        parts += ["", f"{plural(workers, 'worker')}, medians; in brackets how "
                      "many times as good weft is",
                  text_table(*grid(row, workers))]
    if row["goals"]:
        parts.append("\ngoals")
        for goal, verdicts in goal_lines(row).items():
            parts.append(f"  {goal}")
            parts += [f"    {fate:18} {what}" for what, fate in verdicts]
    parts += [f"  nothing was measured for: {goal}"
              for goal in row["open_goals"]]
    return "\n".join(parts) + "\n"


def markdown(document, charts):
    """The whole file. `charts`: their names by row."""
    machine = document["machine"]
    rivals = ", ".join(f"{name} {version}"
                       for name, version in machine["rivals"].items())
    parts = [f"# {document['name']}", "",
             f"{machine['cpu']}, {plural(machine['cores'], 'core')}, Linux "
             f"{machine['kernel']}, {machine['compiler']}. {rivals}.", "",
             "Medians of the rounds; in brackets how many times as good weft "
             "is, the median of the ratios of each round."]
    for name, row in document["rows"].items():
        parts += ["", f"## {name}: {row['question']}", "",
                  f"`{row['command']}` at {row['commit']} on {row['date']}: "
                  f"{plural(row['rounds'], 'round')} in {row['seconds']:.0f} s;"
                  f" {noise(row)}."]
        parts += [f"{line}." for line in absent(row)]
        if name in charts:
            parts += ["", f"![{name}]({charts[name]})"]
        for workers in worker_counts(row):
            parts += ["", f"{plural(workers, 'worker')}:", "",
                      markdown_table(*grid(row, workers))]
        if row["goals"]:
            parts += ["", "| goal | measured | |", "|---|---|---|"]
            parts += [f"| {goal} | {what} | {fate} |"
                      for goal, verdicts in goal_lines(row).items()
                      for what, fate in verdicts]
    return "\n".join(parts) + "\n"
