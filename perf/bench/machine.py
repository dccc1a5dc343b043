"""machine: where the figures come from: hardware, kernel, compiler, rivals."""
import os
import pathlib
import platform
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# What tells the version of each rival, and the part of it that does.
RIVALS = {
    "oneTBB": (["pkg-config", "--modversion", "tbb"], r".+"),
    "libgomp": (["gcc", "-dumpfullversion"], r".+"),
    "libomp": (["clang", "--version"], r"version (\S+)"),
    "StarPU": (["pkg-config", "--modversion", "starpu-1.3"], r".+"),
    "fio": (["fio", "--version"], r"fio-(\S+)"),
    "Pillow": (["python3", "-c", "import PIL; print(PIL.__version__)"], r".+"),
    "libvips": (["vips", "--version"], r"vips-([\d.]+)"),
    "GNU parallel": (["parallel", "--version"], r"parallel (\d+)"),
    "GraphicsMagick": (["gm", "version"], r"GraphicsMagick (\S+)"),
}


def output(command):
    """What it prints, or nothing where it is not installed or fails."""
    if not shutil.which(command[0]):
        return ""
    ran = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         text=True)
    return ran.stdout.strip() if ran.returncode == 0 else ""


def cores():
    return len(os.sched_getaffinity(0))


def cpu_model():
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    found = re.search(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", text,
                      re.M)
    return found[1].strip() if found else platform.machine()


def slug(text):
    text = re.sub(r"\((r|tm|c)\)|@.*", "", text.lower())
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-")


def name():
    """The same on every machine of a kind: no host name is in it."""
    return f"{cores()}-core-{slug(cpu_model())}"


def commit():
    """With a plus where the tree is not quite it."""
    changed = output(["git", "status", "--porcelain", "--untracked-files=no"])
    return output(["git", "rev-parse", "--short=12", "HEAD"]) + \
        ("+" if changed else "")


def versions():
    found = {}
    for rival, (command, pattern) in RIVALS.items():
        if version := re.search(pattern, output(command)):
            found[rival] = version[version.lastindex or 0]
    return found


def described():
    return {
        "cpu": cpu_model(),
        "cores": cores(),
        "kernel": platform.release(),
        "compiler": output(["cc", "--version"]).split("\n")[0],
        "rivals": versions(),
    }
