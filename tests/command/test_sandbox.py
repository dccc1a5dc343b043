"""test_sandbox.py: with --sandbox the commands of exec stages read what they
like and write below the output folder and TMPDIR; where the kernel cannot do
this, nothing is run.
"""
import ctypes
import os
import struct
import unittest

from fixtures import CommandTest

CREATE_RULESET = 444  # the same on every architecture


def landlock_version():
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0),
                        ctypes.c_uint(1))


def without_landlock():
    """As on a kernel that has none: a filter refuses the call."""
    nr, equal, answer = 0x20, 0x15, 0x06
    no_such_call, fine = 0x00050000 | 38, 0x7fff0000
    program = b"".join(struct.pack("HBBI", *step) for step in (
        (nr, 0, 0, 0), (equal, 0, 1, CREATE_RULESET),
        (answer, 0, 0, no_such_call), (answer, 0, 0, fine)))
    steps = ctypes.create_string_buffer(program)
    filters = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", 4, ctypes.addressof(steps)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, filters):
        raise OSError(ctypes.get_errno(), "no filter")


class SandboxTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.add("photo.jpg", b"photo")
        self.out.mkdir()
        self.temporary = self.root / "tmp"
        self.temporary.mkdir()
        self.outside = self.root / "outside"
        self.outside.mkdir()
        (self.outside / "file").write_text("as it was")

    def run_script(self, text, *options, spec=None, **more):
        script = self.root / "script"
        script.write_text(f"#!/bin/sh\nset -e\n{text}\necho done\n")
        script.chmod(0o755)
        spec = spec or self.commands(script, "{path}")
        return self.run_json(spec, *options, env={
            **os.environ, "TMPDIR": str(self.temporary)}, **more)

    def assert_runs(self, text, *options, **more):
        result = self.run_script(text, *options, **more)
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(self.keys(), ["photo"])

    def state_outside(self):
        return [(path.name, path.is_symlink(),
                 path.is_file() and path.read_bytes())
                for path in sorted(self.outside.iterdir())]


@unittest.skipIf(landlock_version() < 3, "this kernel has no Landlock 3")
class Commands(SandboxTest):
    # What changes files outside, one way each.
    WRITES = ["echo x >new", "echo x >file", "echo x >>file", ": >file",
              "truncate -s 3 file", "rm file", "mv file other",
              "mv file ../out/file", "mv ../tmp/made file", "mkdir folder",
              "ln -s file link", "ln file hard", "mkfifo pipe", "cp file copy",
              "sh -c 'echo x >new'", "nohup sh -c 'echo x >new' </dev/null",
              "ln -s ../outside/new ../out/way && echo x >../out/way"]

    def test_change_nothing_outside(self):
        before = self.state_outside()
        for write in self.WRITES:
            (self.temporary / "made").write_text("made")
            result = self.run_script(f"cd '{self.outside}'\n{write}",
                                     "--sandbox")
            self.assertEqual(result.code, 1, write)
            self.assertRegex(result.report["failures"][0]["text"],
                             r"Permission denied|Invalid cross-device",
                             write)
            self.assertEqual(self.state_outside(), before, write)
            for path in self.out.iterdir():
                path.unlink()

    def test_could_do_all_of_it_without(self):
        for write in self.WRITES:
            (self.outside / "file").write_text("as it was")
            (self.temporary / "made").write_text("made")
            before = self.state_outside()
            self.assert_runs(f"cd '{self.outside}'\n{write}")
            self.assertNotEqual(self.state_outside(), before, write)
            for path in [*self.outside.iterdir(), *self.out.iterdir()]:
                path.rmdir() if path.is_dir() else path.unlink()

    def test_write_where_they_may(self):
        self.assert_runs(f"""
            echo x >'{self.out}/a' && mkdir '{self.out}/b'
            mv '{self.out}/a' '{self.out}/b/c' && rm '{self.out}/b/c'
            echo x >'{self.temporary}/made'
            mv '{self.temporary}/made' '{self.out}/made'
            echo x >/dev/null 2>/dev/null""", "--sandbox")
        self.assertEqual((self.out / "made").read_text(), "x\n")

    def test_read_everything_and_start_others(self):
        self.assert_runs(f"""
            test "$(cat '{self.outside}/file')" = 'as it was'
            ls / >/dev/null && cat "$1" /etc/passwd | sort >/dev/null""",
                         "--sandbox")

    def test_write_below_every_sinks_folder_and_only_there(self):
        (self.root / "files").mkdir()
        spec = self.commands(self.root / "script", "{path}")
        spec["stages"][1] = {"name": "write", "use": "file.write", "with": {
            "pattern": str(self.root / "files/{key}.{ext}")}}
        result = self.run_script(f"echo x >'{self.root}/files/new'",
                                 "--sandbox", spec=spec)
        self.assertEqual(result.code, 0, result.err)
        result = self.run_script(f"echo x >'{self.out}/new'", "--sandbox",
                                 spec=spec)
        self.assertEqual(result.code, 1)
        self.assertFalse((self.out / "new").exists())

    def test_gain_no_rights(self):
        self.assert_runs("grep -q 'NoNewPrivs:.*1' /proc/self/status",
                         "--sandbox")
        self.assert_runs("grep -q 'NoNewPrivs:.*0' /proc/self/status")

    def test_are_not_run_where_tmpdir_is_not_there(self):
        self.temporary.rmdir()
        result = self.run_script("true", "--sandbox")
        self.assertEqual(result.code, 3)
        self.assertRegex(result.err, "--sandbox: cannot allow to write into "
                                     "TMPDIR, .*/tmp: No such file")


class Kernels(SandboxTest):
    def test_that_have_no_landlock_are_told(self):
        result = self.run_script(f"echo x >'{self.outside}/new'", "--sandbox",
                                 prepare=without_landlock)
        self.assertEqual(result.code, 3)
        self.assertRegex(result.err, r"--sandbox needs version 3 of Landlock, "
                                     r"which Linux has since 6\.2; here there "
                                     r"is none \(Function not implemented\)")
        self.assertFalse((self.outside / "new").exists())
        self.assertEqual(self.shards(), [])

    def test_that_have_no_landlock_matter_to_nobody_else(self):
        self.assert_runs("true", prepare=without_landlock)

    @unittest.skipUnless(0 < landlock_version() < 3, "not of Linux 5.13 to 6.1")
    def test_whose_landlock_is_too_old_are_told(self):
        result = self.run_script("true", "--sandbox")
        self.assertEqual(result.code, 3)
        self.assertRegex(result.err, r"needs version 3 .* it is version [12];")


if __name__ == "__main__":
    unittest.main()
