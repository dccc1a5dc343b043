"""changes.py: files with one thing in them changed on purpose.

Weaker orders are found in the file itself. Steps of a protocol that are left
out are in a list, like this one:

    sched/park.c: [R] who ends its search does not look again
    -         p->visible(p->ctx))                           /* [R] */
    +         false)

A name, of which the first word is the file; then lines that stand there once,
one after the other, and those that come in their place. How many blanks are in
them does not count. If they no longer stand there the list is wrong, and says
so.
"""
import re

OPERATION = {
    "load": "atomic_load_explicit(p, {})",
    "store": "atomic_store_explicit(p, v, {})",
    "add": "atomic_fetch_add_explicit(p, v, {})",
    "sub": "atomic_fetch_sub_explicit(p, v, {})",
    "or": "atomic_fetch_or_explicit(p, v, {})",
    "and": "atomic_fetch_and_explicit(p, v, {})",
    "swap": "atomic_exchange_explicit(p, v, {})",
    "cas": "atomic_compare_exchange_strong_explicit(p, e, v, {}, {})",
}
PARAMETERS = {"load": "p", "cas": "p, e, v"}
ORDERS = re.compile(r"\b(%s)_(acquire|release|acq_rel|seq_cst)\b"
                    % "|".join(OPERATION))
# One step down; of a compare-and-swap with the order of its failure.
WEAKER = {
    "load": {"seq_cst": ["acquire"], "acquire": ["relaxed"]},
    "store": {"seq_cst": ["release"], "release": ["relaxed"]},
    "cas": {"seq_cst": ["acq_rel relaxed"],
            "acq_rel": ["acquire acquire", "release relaxed",
                        "acq_rel relaxed"],
            "acquire": ["relaxed relaxed"]},
}
OTHERS = {"seq_cst": ["acq_rel"], "acq_rel": ["acquire", "release"],
          "acquire": ["relaxed"], "release": ["relaxed"]}


class Wrong(Exception):
    """A list that does not fit what it is about."""


class Change:
    """One change of a file: its name, and the file's text with it."""

    def __init__(self, file, name, text):
        self.file, self.name, self.text = file, name, text


def without_comments(text):
    """With all else where it was."""
    return re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()),
                  text, flags=re.DOTALL)


def weaker_name(file, code, match, order):
    """The line without its comment, and which of several orders in it."""
    begin = code.rfind("\n", 0, match.start()) + 1
    line = code[begin:].split("\n", 1)[0].strip()
    nth = len(ORDERS.findall(code[begin:match.start()])) + 1
    which = f" ({nth})" if len(ORDERS.findall(line)) > 1 else ""
    return f"{file}: {line}{which} -> {order}"


def weaker_text(file, text, match, order):
    operation = match.group(1)
    orders = ["memory_order_" + word for word in order.split()]
    parameters = PARAMETERS.get(operation, "p, v")
    start, end = match.span()
    return (f"#define WEAKENED({parameters}) "
            + OPERATION[operation].format(*orders) + "\n"
            + f"#include <stdatomic.h>\n#line 1 \"{file}\"\n"
            + text[:start] + "WEAKENED" + text[end:])


def weaker_orders(file, text):
    """Each memory order of the file, one step weaker."""
    code, seen = without_comments(text), {}
    for match in ORDERS.finditer(code):
        steps = WEAKER.get(match.group(1), OTHERS)
        for order in steps.get(match.group(2), []):
            name = weaker_name(file, code, match, order)
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1:  # the same line stands there again
                name += f", number {seen[name]}"
            yield Change(file, name, weaker_text(file, text, match, order))


def one_blank(line):
    return " ".join(line.split())


def where_they_stand(lines, wanted):
    """The one place where these lines stand one after the other."""
    bare = [one_blank(line) for line in lines]
    places = [i for i in range(len(bare) - len(wanted) + 1)
              if bare[i:i + len(wanted)] == wanted]
    if not wanted or len(places) != 1:
        raise Wrong(f"stands there {len(places)} times, not once:\n"
                    + "\n".join(wanted))
    return places[0]


def replaced(text, before, after):
    lines = text.split("\n")
    at = where_they_stand(lines, before)
    lines[at:at + len(before)] = after
    return "\n".join(lines)


def changed_steps(listed, root):
    """Each change of a list of steps."""
    entries = []
    for n, line in enumerate(listed.read_text().splitlines(), 1):
        if line.startswith("#") or not line.strip():
            continue
        if line[0] not in "-+":
            entries.append((n, line, [], []))
        elif not entries:
            raise Wrong(f"{listed}:{n}: belongs to no name")
        elif line[0] == "-":
            entries[-1][2].append(one_blank(line[1:]))
        else:
            entries[-1][3].append(line[1:])
    for n, name, before, after in entries:
        file = name.split(":")[0]
        try:
            text = replaced((root / file).read_text(), before, after)
        except (Wrong, OSError) as why:
            raise Wrong(f"{listed}:{n}: {name}: {why}") from None
        yield Change(file, name, text)


def reasons(listed):
    """What is known to survive, and why: NAME, then lines that are indented."""
    known, name = {}, None
    for line in listed.read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith(" "):
            known[name] += line.strip() + " "
        else:
            name = line.strip()
            known[name] = ""
    return known


OUTCOMES = ("caught", "explained", "SURVIVES", "NO REASON", "TIMED OUT")
FOUND, SURVIVED, TIMED_OUT = "found", "survived", "timed out"


def outcome(fate, reason):
    """Of a change, whose reason to survive is known, or None. Of one whose
    tests were ended from outside it is not known what they would have said."""
    if fate == TIMED_OUT:
        return "TIMED OUT"
    if fate == SURVIVED:
        return "explained" if reason else "SURVIVES"
    return "caught" if reason is None else "NO REASON"


def fate(results):
    """Of what became of the tests, up to the first that decides."""
    for result in results:
        if not result.good:
            return TIMED_OUT if result.timed_out else FOUND
    return SURVIVED


def must_be_about(known, root, steps):
    """Each of the reasons is about a change that there is."""
    names = {change.name for change in changed_steps(steps, root)}
    for file in {name.split(":")[0] for name in known}:
        if not (root / file).is_file():
            continue
        text = (root / file).read_text()
        names.update(change.name for change in weaker_orders(file, text))
    stale = [name for name in known if name not in names]
    if stale:
        raise Wrong("survivors has reasons for what is not there:\n"
                    + "\n".join(stale))
