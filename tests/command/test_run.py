"""test_run.py: weft run, from photos to shards, batches and a report.

What comes out is read by programs that are not ours: tar, djpeg, numpy.
"""
import json
import os
import shutil
import subprocess
import sys
import tarfile
import unittest

from fixtures import CommandTest, Result, jpeg, png


def numpy_python():
    """A Python that has numpy: ours, or the system's."""
    for python in (sys.executable, "/usr/bin/python3"):
        found = subprocess.run([python, "-c", "import numpy"],
                               stderr=subprocess.DEVNULL)
        if found.returncode == 0:
            return python
    return None


class Shards(CommandTest):
    def test_every_photo_is_out_once_in_the_order_of_the_source(self):
        self.add_jpegs(25)
        result = self.weft_run(self.thumbnails(per_shard=10))
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(self.keys(), [f"photo-{i:04}" for i in range(25)])
        self.assertEqual(len(self.shards()), 3)
        self.assert_clean()

    def test_the_workers_make_no_difference_to_a_byte(self):
        self.add_jpegs(30)
        digests = []
        for workers in ("1", "2", "8"):
            result = self.weft_run(self.thumbnails(per_shard=7), "--workers",
                                   workers)
            self.assertEqual(result.code, 0, result.err)
            digests.append(self.digests())
            shutil.rmtree(self.out)
        self.assertEqual(len(digests[0]), 5)
        self.assertEqual(digests[0], digests[1])
        self.assertEqual(digests[0], digests[2])

    def test_a_seed_makes_the_same_order_again(self):
        """In a shard that takes what comes the order of the members tells."""
        self.add_jpegs(40)
        spec = self.thumbnails(per_shard=15)
        spec["stages"][-1]["order"] = "any"
        runs = {}
        for seed in ("5", "5", "6"):
            result = self.weft_run(spec, "--seed", seed)
            self.assertEqual(result.code, 0, result.err)
            run = self.members(), self.digests()
            self.assertEqual(runs.setdefault(seed, run), run)
            shutil.rmtree(self.out)
        self.assertNotEqual(runs["5"][0], runs["6"][0])
        self.assertEqual(sorted(runs["5"][0]), sorted(runs["6"][0]))

    def test_tar_reads_the_shards(self):
        self.add_jpegs(12)
        self.assertEqual(self.weft_run(self.thumbnails()).code, 0)
        listed = []
        for shard in self.shards():
            listed += subprocess.run(
                ["tar", "tf", shard], check=True, text=True,
                stdout=subprocess.PIPE).stdout.splitlines()
        self.assertEqual(listed, self.members())
        self.assertEqual(sorted(listed), sorted(
            f"photo-{i:04}.{end}" for i in range(12)
            for end in ("jpg", "json")))

    def test_djpeg_decodes_the_thumbnails(self):
        self.add("wide.jpg", jpeg(90, 40))
        self.add("tall.png", png(40, 90))
        self.assertEqual(self.weft_run(self.thumbnails()).code, 0)
        with tarfile.open(self.shards()[0]) as tar:
            for name in ("tall.jpg", "wide.jpg"):
                data = tar.extractfile(name).read()
                ppm = subprocess.run(["djpeg"], input=data, check=True,
                                     stdout=subprocess.PIPE).stdout
                self.assertEqual(ppm.split(None, 4)[:4],
                                 [b"P6", b"32", b"32", b"255"])

    def test_the_json_of_a_sample_tells_its_source(self):
        self.add("deep/wide.jpg", jpeg(90, 40))
        self.assertEqual(self.weft_run(self.thumbnails()).code, 0)
        with tarfile.open(self.shards()[0]) as tar:
            text, = [tar.extractfile(m).read() for m in tar
                     if m.name.endswith(".json")]
        self.assertIn("wide.jpg", text.decode())
        values = json.loads(text)
        self.assertIn(90, values.values())
        self.assertIn(40, values.values())


class Batches(CommandTest):
    def spec(self, count, rest="flush"):
        return {
            "weft": 1,
            "source": self.source(),
            "stages": [
                {"name": "read", "use": "file.read", "inflight": 4},
                {"name": "decode", "use": "image.thumbnail",
                 "with": {"width": 24, "height": 16}},
                {"name": "gather", "use": "gather",
                 "with": {"count": count, "rest": rest}},
                {"name": "write", "use": "npy.write",
                 "with": {"pattern": str(self.out / "batch-%06d.npy")}},
            ],
        }

    def shapes(self):
        python = numpy_python()
        if not python:
            self.skipTest("no numpy here: scripts/setup test installs it")
        program = "import numpy, sys\n" \
            "for path in sys.argv[1:]:\n" \
            "    a = numpy.load(path)\n" \
            "    print(a.dtype, *a.shape, int(a.max()) > int(a.min()))\n"
        paths = sorted(self.out.glob("*.npy"))
        shown = subprocess.run([python, "-c", program, *paths], text=True,
                               check=True, stdout=subprocess.PIPE)
        return shown.stdout.splitlines()

    def test_numpy_loads_the_batches_and_the_rest(self):
        self.add_jpegs(11)
        result = self.run_json(self.spec(4))
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(self.shapes(), ["uint8 4 16 24 3 True"] * 2 +
                         ["uint8 3 16 24 3 True"])
        self.assertEqual(result.report["items"]["out"], 11)
        self.assertEqual(result.report["files_written"], 3)
        self.assert_clean()

    def test_a_rest_that_is_dropped_is_accounted_for(self):
        self.add_jpegs(11)
        result = self.run_json(self.spec(4, rest="drop"))
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(self.shapes(), ["uint8 4 16 24 3 True"] * 2)
        self.assertEqual(result.report["items"]["out"], 8)
        self.assertEqual(result.report["items"]["unfinished"], 3)


class Commands(CommandTest):
    def test_what_a_command_prints_is_in_the_shards(self):
        for name in ("one", "two", "three"):
            self.add(name, name.encode() * 1000)
        result = self.weft_run(self.commands("cat", "{path}"))
        self.assertEqual(result.code, 0, result.err)
        with tarfile.open(self.shards()[0]) as tar:
            for name in ("one", "two", "three"):
                member, = [m for m in tar if m.name.startswith(name) and
                           not m.name.endswith(".json")]
                self.assertEqual(tar.extractfile(member).read(),
                                 name.encode() * 1000)

    def test_a_command_that_fails_fails_its_item(self):
        for name in ("a", "b", "c"):
            self.add(name, name.encode())
        script = self.root / "script"
        script.write_text('#!/bin/sh\n[ "${1##*/}" != b ] || exit 3\n'
                          'cat "$1"\n')
        script.chmod(0o755)
        result = self.run_json(self.commands(script, "{path}"))
        self.assert_one_failure(result, "/b", "command", "3", 2)

    def test_a_program_that_is_not_there_is_named(self):
        self.add("a", b"a")
        result = self.run_json(self.commands("/no/such/program"))
        self.assertIn(result.code, (1, 3))
        self.assertIn("/no/such/program", result.err)


class Failures(CommandTest):
    def setUp(self):
        super().setUp()
        self.add_jpegs(12)
        for i in (1, 4, 7, 8, 9, 10):
            self.add(f"photo-{i:04}.jpg", b"no photo")

    def test_they_are_reported_in_the_order_of_the_source(self):
        result = self.run_json(self.thumbnails())
        self.assertEqual(result.code, 1)
        names = [os.path.basename(f["path"])
                 for f in result.report["failures"]]
        self.assertEqual(names, [f"photo-{i:04}.jpg"
                                 for i in (1, 4, 7, 8, 9, 10)])

    def test_people_see_the_first_few_and_how_many_more(self):
        result = self.weft_run(self.thumbnails())
        self.assertEqual(result.code, 1)
        for i in (1, 4, 7, 8, 9):
            self.assertIn(f"photo-{i:04}.jpg: decode: ", result.err)
        self.assertNotIn("photo-0010.jpg", result.err)
        self.assertIn("1 more", result.err)
        self.assertRegex(result.out, r"12 in, 6 out, 6 failed")

    def test_fail_fast_stops_with_code_4(self):
        result = self.run_json(self.thumbnails(), "--fail-fast", "--workers",
                               "1")
        self.assertEqual(result.code, 4, result.err)
        self.assertIn("photo-0001.jpg", result.err)
        self.assertEqual(self.keys(), ["photo-0000"])
        self.assert_clean()

    def test_at_most_stops_when_there_are_more(self):
        spec = self.thumbnails(on_error={"at_most": 2})
        result = self.run_json(spec)
        self.assertEqual(result.code, 4, result.err)
        self.assertGreater(result.report["items"]["failed"], 2)
        self.assertIn("--retry-failed goes on", result.err)
        spec["on_error"] = {"at_most": 6}
        self.assertEqual(self.run_json(spec, "--retry-failed").code, 1)
        self.assertEqual(len(self.keys()), 6)

    def test_keep_going_wins_over_the_spec(self):
        result = self.run_json(self.thumbnails(on_error="stop"),
                               "--keep-going")
        self.assertEqual(result.code, 1)
        self.assertEqual(len(self.keys()), 6)


class Reports(CommandTest):
    def setUp(self):
        super().setUp()
        self.add_jpegs(12)

    def test_json_adds_up(self):
        result = self.run_json(self.thumbnails(per_shard=5), "--workers", "2")
        self.assertEqual(result.code, 0)
        self.assertEqual(result.err, "")
        report = result.report
        self.assertEqual(report["status"], "complete")
        self.assertEqual(report["exit_code"], 0)
        self.assertEqual(report["items"], {
            "total": 12, "in": 12, "out": 12, "failed": 0, "filtered": 0,
            "cancelled": 0, "unfinished": 0, "left": 0, "earlier": 0,
            "earlier_failed": 0})
        self.assertEqual(report["files_written"], 3)
        self.assertEqual(report["bytes_read"], sum(
            path.stat().st_size for path in self.photos.iterdir()))
        self.assertEqual(report["bytes_written"], sum(
            path.stat().st_size for path in self.shards()))
        self.assertEqual(report["workers"], 2)
        self.assertEqual([stage["name"] for stage in report["stages"]],
                         ["source", "read", "decode", "encode", "shard"])
        for stage in report["stages"]:
            self.assertEqual(stage["done"], 12, stage)
            self.assertLessEqual(stage["peak"], stage["tokens"], stage)
        self.assertGreater(report["wall_seconds"], 0)
        self.assertGreater(report["cpu_seconds"], 0)
        self.assertGreater(report["peak_memory_bytes"], 1 << 20)

    def test_the_summary_has_every_figure(self):
        result = self.weft_run(self.thumbnails())
        self.assertEqual(result.code, 0)
        for part in ("12 in, 12 out, 0 failed, 0 filtered", "items/s", "read",
                     "written", "in 2 files", "wall", "CPU", "at the peak",
                     "decode", "token", "pending"):
            self.assertIn(part, result.out)
        table = result.out[result.out.index("\n  stage ") + 1:].splitlines()
        self.assertEqual(len({len(line) for line in table}), 1, table)

    def test_the_bottleneck_is_told_and_what_more_of_it_would_give(self):
        for i in range(12):
            self.add(f"more{i}", b"x")
        spec = self.commands("sleep", "0.05", processes=2)
        spec["stages"][0]["name"] = "nap"
        limit = self.run_json(spec).report["bottleneck"]
        self.assertEqual((limit["kind"], limit["stage"]), ("tokens", "nap"))
        self.assertGreater(limit["use"], 0.7)
        self.assertRegex(limit["text"], r"^stage 'nap' is the bottleneck: its "
                         r"2 tokens were in use \d+ % of the time; [\d.]+ "
                         r"items/s, one more token would give [\d.]+")
        shutil.rmtree(self.out)
        self.assertIn("\n  limit    stage 'nap' is the bottleneck: ",
                      self.weft_run(spec).out)

    def test_quiet_says_nothing_of_a_good_run(self):
        result = self.weft_run(self.thumbnails(), "--quiet")
        self.assertEqual(result, Result(0, "", ""))

    def test_a_dry_run_writes_nothing(self):
        result = self.weft_run(self.thumbnails(), "--dry-run")
        self.assertEqual(result.code, 0, result.err)
        self.assertFalse(self.out.exists())
        self.assertIn("12 items", result.out)
        self.assertIn("image.thumbnail", result.out)
        plan = self.weft_run(self.thumbnails(), "--dry-run", "--json").report
        self.assertEqual(plan["items"], 12)
        self.assertEqual(plan["stages"][1],
                         {"name": "read", "operator": "file.read",
                          "tokens": 8, "order": "any"})
        self.assertFalse(self.out.exists())

    def test_shards_of_an_earlier_run_are_noted(self):
        self.assertEqual(self.weft_run(self.thumbnails(per_shard=3)).code, 0)
        result = self.weft_run(self.thumbnails(per_shard=4))
        self.assertEqual(result.code, 0)
        self.assertRegex(result.out, r"note .*s-000003\.tar was there before")
        note = self.run_json(self.thumbnails(per_shard=4)).report["note"]
        self.assertIn("s-000003.tar", note)

    def test_settings_of_the_command_line_win(self):
        plan = self.weft_run(self.thumbnails(), "--dry-run", "--json", "--set",
                             "stages.read.inflight=3", "--workers",
                             "2").report
        self.assertEqual(plan["stages"][1]["tokens"], 3)
        self.assertEqual(plan["workers"], 2)

    def test_a_folder_with_nothing_in_it_is_no_mistake(self):
        result = self.run_json(self.thumbnails(), "--input",
                               str(self.root / "photos" / ".."), "--set",
                               "source.with.match=*.none")
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(result.report["items"]["in"], 0)
        self.assertEqual(self.shards(), [])

    def test_a_source_without_items_is_noted_before_all_else(self):
        self.add_jpegs(1)
        self.assertEqual(self.run_json(self.thumbnails()).code, 0)
        result = self.weft_run(self.thumbnails(), "--set",
                               "source.with.match=*.none")
        self.assertRegex(result.out, "note .*no file below .*photos.*'match'")

    def test_a_source_that_is_missing_says_how_to_name_another(self):
        result = self.weft_run(self.thumbnails(), "--input", "nowhere")
        self.assertEqual(result.code, 3)
        self.assertRegex(result.err, "cannot list nowhere: .*--input")

    def test_a_report_that_cannot_be_written_is_an_error(self):
        with open("/dev/full", "wb") as full:
            for options in (["--json"], []):
                result = self.weft_run(self.thumbnails(), *options,
                                       stdout=full)
                self.assertEqual(result.code, 3)
                self.assertIn("No space left", result.err)
        self.assertEqual(len(self.keys()), 12)

    def test_a_report_to_a_closed_stream_is_an_error(self):
        result = self.weft_run(self.thumbnails(), prepare=lambda: os.close(1))
        self.assertEqual(result.code, 3)
        self.assertIn("cannot write to standard output", result.err)
        self.assertEqual(len(self.keys()), 12)

    def test_a_reader_that_went_away_does_not_kill_the_run(self):
        reader, writer = os.pipe()
        os.close(reader)
        with open(writer, "wb") as pipe:
            result = self.weft_run(self.thumbnails(), "--json", stdout=pipe)
        self.assertEqual(result.code, 3)
        self.assertIn("Broken pipe", result.err)
        self.assertEqual(len(self.keys()), 12)


if __name__ == "__main__":
    unittest.main()
