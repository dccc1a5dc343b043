"""charts: SVG by gnuplot, of the rows that a picture helps to see.

They are shown on light and on dark pages: no background, and greys and colours
that both can bear.
"""
import re
import shutil
import subprocess
import sys

from bench import tables

GREY = "#808890"
COLOURS = ("#2f81f7", "#8b949e", "#e36209", "#2da44e", "#bf3989", "#a475f9",
           "#c69026", "#1b9e9e")

HEAD = """
set terminal svg size 760,{height} dynamic noenhanced font "sans-serif,13"
set border lc rgb "{grey}"
set tics tc rgb "{grey}"
set key outside top center horizontal textcolor rgb "{grey}"
set xlabel "{x}" textcolor rgb "{grey}"
set ylabel "{y}" textcolor rgb "{grey}"
set grid y lc rgb "{grey}" lt 1 dt 3
"""


def quoted(text):
    return '"' + text.replace("\\", "").replace('"', "") + '"'


def block(name, lines):
    return f"${name} << END\n" + "\n".join(lines) + "\nEND\n"


def select(row, workers, what=None):
    """Medians by case and contestant, all of one kind and unit."""
    found = {}
    for r in row["results"]:
        if r["workers"] == workers and (what is None or r["what"] == what):
            found.setdefault(r["case"], {})[r["by"]] = r["median"]
    return found


def bars(row, workers, what, unit, logarithmic):
    """A group of bars a case."""
    found = select(row, workers, what)
    names = tables.others([r for r in row["results"] if r["what"] == what])
    lines = [" ".join([quoted(case),
                       *(str(by.get(name, "NaN")) for name in names)])
             for case, by in found.items()]
    script = HEAD.format(height=380, grey=GREY, x="", y=unit)
    script += block("data", lines)
    script += "set style data histogram\nset style histogram clustered gap 1\n"
    script += "set style fill solid noborder\nset boxwidth 0.9\n"
    script += "set logscale y\n" if logarithmic else "set yrange [0:*]\n"
    plots = [f"$data using {i + 2}:xtic(1) title {quoted(name)} "
             f"lc rgb \"{COLOURS[i % len(COLOURS)]}\""
             for i, name in enumerate(names)]
    return script + "plot " + ", ".join(plots) + "\n"


def lines(curves, x, y, logarithmic, more=""):
    """`curves`: lists of (x, y) by name."""
    script = HEAD.format(height=380, grey=GREY, x=x, y=y)
    script += "set logscale y\n" if logarithmic else "set yrange [0:*]\n"
    script += more
    plots = []
    for i, (name, points) in enumerate(curves.items()):
        script += block(f"curve{i}", [f"{a} {b}" for a, b in sorted(points)])
        plots.append(f"$curve{i} using 1:2 with linespoints pt 7 lw 2 "
                     f"lc rgb \"{COLOURS[i % len(COLOURS)]}\" "
                     f"title {quoted(name)}")
    return script + "plot " + ", ".join(plots) + "\n"


def dag(row, cores):
    return bars(row, cores, "run again", "ns per node, run again", True)


def main_job(row, cores):
    return bars(row, cores, "end to end", "images/s", False)


def pipeline(row, cores):
    """Over the number of stages, in any order, 64 items in flight."""
    curves = {}
    for r in row["results"]:
        found = re.fullmatch(r"any (\d+)x64", r["case"])
        if found and r["workers"] == cores and r["what"] == "item and stage":
            curves.setdefault(r["by"], []).append((int(found[1]),
                                                   r["median"]))
    return lines(curves, "stages", "ns per item and stage", True,
                 "set xtics (1, 4, 8, 16)\n") if curves else None


def files(row, cores):
    """4 KiB reads over the queue depth, past the page cache."""
    curves = {}
    for r in row["results"]:
        words = r["case"].split()
        if words[0] == "direct," and r["unit"] == "reads/s":
            curves.setdefault(r["by"], []).append((int(words[-1]),
                                                   r["median"]))
    return lines(curves, "queue depth", "4 KiB reads/s, O_DIRECT", False,
                 "set logscale x 2\n") if curves else None


def scaling(row, cores):
    curves = {}
    for r in row["results"]:
        if r["what"].endswith(": efficiency"):
            curves.setdefault(r["case"], [(1, 1)]).append(
                (r["workers"], r["median"] * r["workers"] / 100))
    if not curves:
        return None
    curves["ideal"] = [(1, 1), (cores, cores)]
    return lines(curves, "workers", "times the speed of one", False,
                 "set xrange [1:*]\nset xtics 1\n" if cores <= 16 else "")


CHARTS = {"dag": dag, "pipeline": pipeline, "files": files,
          "main_job": main_job, "scaling": scaling}


def tidy(svg):
    """As the other text files of the repository are: no tabs, no blanks at
    the end of a line."""
    return "".join(f"{line.expandtabs().rstrip()}\n"
                   for line in svg.splitlines())


def draw(document, folder):
    """The names of the charts that were drawn, by row."""
    if not shutil.which("gnuplot"):
        print("bench: gnuplot is not installed: no charts", file=sys.stderr)
        return {}
    drawn = {}
    for name, chart in CHARTS.items():
        row = document["rows"].get(name)
        if not row or not row["results"]:
            continue
        script = chart(row, document["machine"]["cores"])
        if not script:
            continue
        made = subprocess.run(["gnuplot"], input=script, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if made.returncode:
            print(f"bench: no chart of {name}: {made.stderr.strip()}",
                  file=sys.stderr)
            continue
        drawn[name] = f"{document['name']}-{name}.svg"
        (folder / drawn[name]).write_text(tidy(made.stdout))
    return drawn
