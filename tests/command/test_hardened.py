"""test_hardened.py: the binaries have what makes a mistake of ours harder to
use, and the library shows no name but its own.

    test_hardened.py COMMAND LIBRARY CC    as they were built, and the compiler
"""
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
import unittest

COMMAND, LIBRARY, *CC = sys.argv[1:]
LIBRARIES = subprocess.run(["pkg-config", "--libs", "hwloc", "liburing"],
                           check=True, stdout=subprocess.PIPE,
                           text=True).stdout.split()


def readelf(what, path):
    return subprocess.run(["readelf", "-W", what, path], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def symbols(path):
    """(name, binding, visibility, where it is defined or UND) of each."""
    rows = (line.split() for line in readelf("--symbols", path).splitlines())
    return [(row[7], row[4], row[5], row[6]) for row in rows
            if len(row) == 8 and row[0][:-1].isdigit()]


class Command(unittest.TestCase):
    def test_lies_anywhere_in_memory(self):
        self.assertRegex(readelf("--file-header", COMMAND),
                         r"Type: *DYN .*Position-Independent")

    def test_has_its_tables_filled_and_locked_at_the_start(self):
        self.assertIn("GNU_RELRO", readelf("--program-headers", COMMAND))
        self.assertRegex(readelf("--dynamic", COMMAND), r"\bNOW\b")

    def test_executes_nothing_that_is_written(self):
        found = re.findall(r"^ *(LOAD|GNU_STACK)(?: +0x\w+){5} +([RWE ]+?) *0x",
                           readelf("--program-headers", COMMAND), re.M)
        self.assertIn("GNU_STACK", dict(found))
        for _, flags in found:
            self.assertFalse({"W", "E"} <= set(flags), found)

    def test_checks_its_stack_and_its_buffers(self):
        names = {name.split("@")[0] for name, *_ in symbols(COMMAND)}
        self.assertIn("__stack_chk_fail", names)
        self.assertIn("__snprintf_chk", names)
        self.assertIn("__memcpy_chk", names)

    @unittest.skipUnless(platform.machine() == "x86_64", "of x86 only")
    def test_touches_each_page_of_a_large_frame(self):
        """The path of a file has 4096 bytes and more beside."""
        code = subprocess.run(
            ["objdump", "-d", "--no-show-raw-insn",
             "--disassemble=publish_folder", COMMAND], check=True,
            stdout=subprocess.PIPE, text=True).stdout
        self.assertRegex(code, r"or[ql]? +\$0x0,")


class Library(unittest.TestCase):
    @unittest.skipUnless(platform.machine() == "x86_64", "of x86 only")
    def test_says_where_an_indirect_branch_may_land(self):
        """Of each object; a program has it if the C library's start has."""
        notes = readelf("--notes", LIBRARY)
        self.assertGreater(notes.count("File: "), 0)
        self.assertEqual(len(re.findall("x86 feature: IBT, SHSTK", notes)),
                         notes.count("File: "))

    def test_shows_no_other_names(self):
        """Not to a shared library that it becomes a part of; and where it is
        one object, not to a program either."""
        seen = [(name, visibility) for name, binding, visibility, where
                in symbols(LIBRARY)
                if binding != "LOCAL" and where != "UND"]
        self.assertGreater(sum(name.startswith("weft_") for name, _ in seen),
                           100)
        one = readelf("--file-header", LIBRARY).count("File: ") == 1
        self.assertEqual([name for name, visibility in seen
                          if not name.startswith("weft_") and
                          (one or visibility != "HIDDEN")], [])

    def test_exports_no_other_names_as_a_part_of_a_shared_one(self):
        with tempfile.TemporaryDirectory() as folder:
            shared = pathlib.Path(folder) / "lib.so"
            subprocess.run([*CC, "-shared", "-o", shared, "-Wl,--whole-archive",
                            LIBRARY, "-Wl,--no-whole-archive", *LIBRARIES,
                            "-pthread"], check=True)
            dynamic = subprocess.run(["nm", "-D", "--defined-only", shared],
                                     check=True, stdout=subprocess.PIPE,
                                     text=True).stdout
        self.assertEqual([line for line in dynamic.splitlines()
                          if not line.split()[2].startswith("weft_")], [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
