"""test_spec.py: what a spec may say, and what is said about a wrong one."""
import os
import unittest

from specs import GOOD, SpecTest, weft


def with_stage(stage):
    """GOOD with another encode stage, which is on line 6."""
    lines = GOOD.splitlines(keepends=True)
    lines[5] = f"  - {{ {stage} }}\n"
    return "".join(lines)


def encode(more):
    return with_stage("name: encode, use: image.jpeg, " + more)


class AGoodSpec(SpecTest):
    def test_is_counted(self):
        self.assertEqual(self.accepts(GOOD),
                         "s.yaml: ok, 1 source and 4 stages\n")

    def test_may_be_written_in_blocks(self):
        self.accepts("""\
            weft: 1
            source:
              use: files.list
              with:
                path: photos
                match:
                - "*.jpg"
            stages:
            - name: read
              use: file.read
            - name: copy
              use: file.write
              with: { pattern: "out/{key}.{ext}" }
            on_error: { at_most: 3 }
            slots: 100
            workers: auto
            """)

    def test_may_have_crlf_a_byte_order_mark_and_no_last_newline(self):
        self.accepts(b"\xef\xbb\xbf" +
                     GOOD.replace("\n", "\r\n").encode().rstrip())

    def test_may_repeat_itself_with_an_alias(self):
        self.accepts(encode("with: { quality: &n 90 }") + "slots: *n\n")

    def test_may_come_through_a_pipe(self):
        read, write = os.pipe()
        os.write(write, GOOD.encode())
        os.close(write)
        self.addCleanup(os.close, read)
        code, _, err = weft("check", f"/dev/fd/{read}", pass_fds=[read])
        self.assertEqual((code, err), (0, ""))

    def test_may_batch(self):
        self.accepts("""\
            weft: 1
            source: { use: files.list, with: { path: photos } }
            stages:
            - { name: read, use: file.read }
            - { name: decode, use: image.thumbnail }
            - { name: batch, use: gather, with: { count: 32 } }
            - { name: write, use: npy.write, with: { pattern: "b-%06d.npy" } }
            """)

    def test_may_run_commands_in_the_short_way(self):
        self.accepts("""\
            weft: 1
            source: { use: files.list, with: { path: photos } }
            stages:
            - { name: hash, exec: [sha256sum, "{path}"], tokens: 4 }
            - { name: write, use: file.write, with: { pattern: "o/{key}" } }
            """)


class AMistake(SpecTest):
    def test_is_shown_with_its_line_and_a_caret(self):
        code, _, err = self.check(with_stage(
            "name: encode, use: image.jpeg, with: { qualty: 9 }"))
        self.assertEqual(code, 2)
        self.assertEqual(err, """\
s.yaml:6:46: image.jpeg has no parameter 'qualty'; did you mean 'quality'?
    - { name: encode, use: image.jpeg, with: { qualty: 9 } }
                                               ^
""")

    def test_does_not_hide_two_others(self):
        self.assertEqual(self.mistakes("""\
weft: 1
source: { use: files.lst, with: { path: photos } }
stages:
  - { name: read, use: file.read, inflight: 0 }
  - { name: w, use: file.write, with: { pattern: "{key}" }, oder: any }
"""), [
            "s.yaml:2:16: there is no operator 'files.lst'; "
            "did you mean 'files.list'?",
            "s.yaml:4:45: 'inflight' is 1 to 65536 or auto; 0 is too small",
            "s.yaml:5:61: this stage has no key 'oder'; "
            "did you mean 'order'?"])

    def test_after_twenty_others_is_counted(self):
        said = self.mistakes(GOOD + "".join(f"x{i}: 1\n" for i in range(50)))
        self.assertEqual(len(said), 21)
        self.assertEqual(said[-1], "and 30 more")

    def test_behind_any_characters_has_its_caret_below_it(self):
        for before, shown, width in (
                ("\u00e4", "\u00e4", 1), ("\u4e2d", "\u4e2d", 2),
                ("e\u0301", "e\u0301", 1), ("\t", "    ", 4),
                ("\u202e", "\\u202e", 6)):
            _, _, err = self.check(f'weft: 1\n"{before}": {{ x: 1, x: 2 }}\n')
            line = f'  "{shown}": {{ x: 1, x: 2 }}\n'
            caret = "  " + " " * (width + 12) + "^\n"
            self.assertIn("'x' is given twice; keep one of them\n" + line +
                          caret, err)

    def test_in_a_long_line_is_shown_cut_around_the_caret(self):
        _, _, err = self.check(with_stage(
            "name: encode, use: image.jpeg, with: { " +
            " " * 500 + "qualty: 9 " + " " * 500 + "}"))
        line, caret = err.splitlines()[-2:]
        self.assertTrue(line.startswith("  ...") and line.endswith("..."))
        self.assertLess(len(line), 90)
        self.assertEqual(line.index("qualty"), caret.index("^"))

    def test_with_control_characters_cannot_command_the_terminal(self):
        _, _, err = self.check(with_stage(
            'name: encode, use: "a\\e[31m\\u009b", with: {} '))
        self.assertIn("there is no operator 'a\\x1b[31m\\u009b'", err)
        _, _, err = self.check("weft: 1\nx\x1b[31m: 1\n\u202ey: 1\n")
        self.assertFalse(set(err) & {"\x1b", "\u202e"})


class Keys(SpecTest):
    def test_that_are_unknown_are_listed_or_guessed(self):
        self.rejects_at("onerror", "a spec has no key 'onerror'; did you mean "
                        "'on_error'?", GOOD + "onerror: stop\n")
        self.rejects_at("foo", "a spec has no key 'foo'; it has weft, source, "
                        "stages, on_error, slots, workers", GOOD + "foo: 1\n")
        self.rejects_at("atmost", "'on_error' has no key 'atmost'; did you "
                        "mean 'at_most'?", GOOD + "on_error: { atmost: 3 }\n")

    def test_given_twice_are_a_mistake(self):
        self.rejects_at("weft: 2", "'weft' is given twice; keep one of them",
                        GOOD + "weft: 2\n")
        self.rejects_at("quality: 2",
                        "'quality' is given twice; keep one of them",
                        encode("with: { quality: 1, quality: 2 }"))

    def test_that_are_missing_are_named(self):
        self.assertEqual(self.mistakes("on_error: skip\n"), [
            "s.yaml:1:1: 'weft: 1' is missing, the version of the format",
            "s.yaml:1:1: 'source' is missing: where the items come from",
            "s.yaml:1:1: 'stages' is missing: what happens to the items"])
        self.rejects_at("{ use: image.jpeg", "this stage needs a 'name'",
                        with_stage("use: image.jpeg"))
        self.rejects_at("{ name: encode", "this stage needs 'use: OPERATOR'; "
                        "'weft stages' lists them", with_stage("name: encode"))

    def test_that_are_misspelt_are_not_missing_as_well(self):
        self.rejects_at("soruce", "a spec has no key 'soruce'; did you mean "
                        "'source'?", GOOD.replace("source", "soruce"))
        self.rejects_at("patern", "tar.shard has no parameter 'patern'; did "
                        "you mean 'pattern'?",
                        GOOD.replace("pattern", "patern"))

    def test_of_the_operator_beside_with_are_sent_below_it(self):
        self.rejects_at("quality", "'quality' is a parameter of image.jpeg: "
                        "write it as with: { quality: ... }",
                        encode("quality: 9"))

    def test_a_version_to_come_is_refused_alone(self):
        self.rejects_at("2", "weft 0.1.0 reads version 1 of the format, not 2",
                        "weft: 2\nsauce: 1\n")


class Values(SpecTest):
    def test_out_of_range_are_told_the_range_and_the_unit(self):
        self.rejects_at("101", "'quality' is 1 to 100 percent; 101 is too "
                        "large", encode("with: { quality: 101 }"))
        self.rejects_at("0 }", "'quality' is 1 to 100 percent; 0 is too small",
                        encode("with: { quality: 0 }").replace("90", "9"))

    def test_of_the_wrong_type_are_told_the_right_one(self):
        for text, shown in (("ninety", "'ninety'"), ("-1", "'-1'"),
                            ("9.5", "'9.5'"), ("[1]", "a list"),
                            ("{}", "a mapping"), ("~", "nothing"),
                            ("'90'", "'90' in quotes"),
                            ("9" * 20, "'" + "9" * 20 + "'")):
            self.rejects_at(f"{text} }}", "'quality' is a whole number "
                            f"(percent), not {shown}",
                            encode(f"with: {{ quality: {text} }}"))

    def test_that_are_no_choice_are_told_the_choices(self):
        self.rejects_at("covr", "'fit' is cover, contain or stretch, not "
                        "'covr'; did you mean 'cover'?",
                        GOOD.replace("width: 224", "fit: covr"))

    def test_that_are_sizes_have_units(self):
        def read(size):
            return GOOD.replace("inflight: 64",
                                f"with: {{ max_bytes: {size} }}")
        for size in ("1", "64KiB", "10MB", "10 MB", "2GiB", "1TiB", "5B"):
            self.accepts(read(size))
        for size in ("64kb", "KiB", "1.5GiB", "99999999999TiB", "-1"):
            self.rejects_at(size, "'max_bytes' is a size such as 65536, "
                            f"64KiB, 10MB or 2GiB, not '{size}'", read(size))
        self.rejects_at("0 }", "'max_bytes' is 1 or more bytes; 0 is too "
                        "small", read("0"))

    def test_that_are_lists_of_texts_may_be_one_text(self):
        match = '["*.jpg", "*.jpeg"]'
        self.accepts(GOOD.replace(match, '"*.jpg"'))
        self.rejects_at("[b]", "an entry of 'match' is text, not a list",
                        GOOD.replace(match, "[a, [b]]"))
        self.rejects_at("{ b: c }", "'match' is text or a list of texts, not "
                        "a mapping", GOOD.replace(match, "{ b: c }"))

    def test_of_on_error(self):
        for good in ("stop", "skip", "{ at_most: 1 }"):
            self.accepts(GOOD + f"on_error: {good}\n")
        self.rejects_at("stopp", "'on_error' is stop or skip, not 'stopp'; "
                        "did you mean 'stop'?", GOOD + "on_error: stopp\n")
        self.rejects_at("0 }", "'at_most' is 1 to 4294967295 items; 0 is too "
                        "small", GOOD.replace("90 }", "9 }") +
                        "on_error: { at_most: 0 }\n")
        self.rejects_at("{}", "'on_error' needs at_most: N here",
                        GOOD + "on_error: {}\n")


class Stages(SpecTest):
    def test_take_what_the_one_before_gives(self):
        lines = GOOD.splitlines(keepends=True)
        self.rejects_at("image.jpeg", "'encode' (image.jpeg) takes an image, "
                        "but 'read' (file.read) gives bytes; put "
                        "image.thumbnail between them",
                        "".join(lines[:4] + lines[5:]))

    def test_end_with_a_sink(self):
        lines = GOOD.splitlines(keepends=True)
        self.rejects_at("image.jpeg", "nothing is written: 'encode' "
                        "(image.jpeg), the last stage, gives bytes; end with "
                        "tar.shard or file.write", "".join(lines[:-1]))

    def test_do_not_follow_a_sink(self):
        more = ('  - { name: again, use: file.write, '
                'with: { pattern: "{key}" } }\n')
        self.rejects_at("file.write", "nothing comes here: 'shard' "
                        "(tar.shard) is the end", GOOD + more)

    def test_are_no_sources_and_a_source_is_no_stage(self):
        spec = with_stage("name: encode, use: files.list").replace(
            "{ use: files.list", "{ use: file.read")
        self.assertEqual(
            [line.split(": ", 1)[1] for line in self.mistakes(spec)],
            ["file.read is a stage, no source; 'weft stages' lists them",
             "files.list is a source; it goes under 'source'"])

    def test_have_names_of_their_own(self):
        self.rejects_at("read, use: image", "the name 'read' is taken already",
                        with_stage("name: read, use: image.jpeg"))
        for name in ("Read", "a b", '""', "x" * 33, "[a]", "\u00e4"):
            self.rejects_at(name + ", use", "a stage's name is 1 to 32 of a-z, "
                            "0-9, '_' and '-'",
                            with_stage(f"name: {name}, use: image.jpeg"))

    def test_have_tokens_under_one_name(self):
        self.rejects_at("tokens", "'tokens' and 'workers' are the same here; "
                        "keep one of them", encode("workers: 1, tokens: 2"))
        self.rejects_at("inflight: 1 }", "this stage has no key 'inflight'; "
                        "it has name, use, with, order, tokens, workers",
                        encode("inflight: 1"))

    def test_that_are_serial_have_one_token(self):
        self.rejects_at("2, with", "tar.shard takes one item at a time: "
                        "'tokens' cannot be 2",
                        GOOD.replace("tar.shard", "tar.shard, tokens: 2"))

    def test_are_a_list_of_mappings(self):
        self.rejects_at("{ name: a }", "'stages' is a list of stages, not a "
                        "mapping", "weft: 1\nsource: { use: files.list, "
                        "with: { path: p } }\nstages: { name: a }\n")
        self.rejects_at("foo", "a stage is a mapping such as { use: ... }, "
                        "not text", GOOD + "  - foo\n")


class AFile(SpecTest):
    def test_that_is_empty(self):
        for text in ("", "# nothing\n", "---\n", "\n\n", "~\n"):
            self.rejects("s.yaml: is empty; a spec starts with 'weft: 1'",
                         text)

    def test_that_is_huge(self):
        self.rejects("s.yaml: larger than 1024 KiB: this is no spec",
                     "#" * (1 << 20) + "\n")
        self.accepts(GOOD + "#" * ((1 << 20) - len(GOOD) - 1))

    def test_that_has_no_end(self):
        code, _, err = weft("check", "/dev/zero")
        self.assertEqual((code, err), (2, "/dev/zero: larger than 1024 KiB: "
                                          "this is no spec\n"))

    def test_that_is_binary(self):
        self.rejects("s.yaml: byte 5 is a NUL: this is no text file, so no "
                     "spec", b"\x7fELF\0\1\2")

    def test_that_is_not_utf_8(self):
        for bad in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
                    b"\xe4\xbd", b"\x80"):
            self.rejects(f"s.yaml:2:4: the byte 0x{bad[0]:02x} is not UTF-8, "
                         "and a spec is", b"weft: 1\na: " + bad + b"\n")

    def test_that_is_not_yaml(self):
        self.rejects("s.yaml:2:14: not YAML: double-quoted scalar without "
                     "closing quote", 'weft: 1\nsource: [a, "b\n')
        self.rejects("s.yaml:1:1: libfyaml cannot read this as YAML 1.2",
                     "%YAML 3.1\n---\nweft: 1\n")
        for text in ("a: b: c\n", "a:\n\tb: 1\n", "{", "]", "a: *b\n",
                     "a: &b\n  *c\n", "? [a]\n: b\n", "a: !!str b\n",
                     "- a\nb: c\n", '"a\\q": 1\n', 'a: "\\0"\n', "a: b\n c\n",
                     "weft: 1\n---\nweft: 1\n", "weft: 1\n...\nx\n"):
            said = self.mistakes(text)
            self.assertTrue(said, text)
            self.assertTrue(all(line.startswith("s.yaml:")
                                or line.startswith("and ")
                                for line in said), said)

    def test_that_is_no_mapping(self):
        for text, kind in (("foo\n", "text"), ("[a]\n", "a list"),
                           ("- a\n", "a list")):
            self.rejects("s.yaml:1:1: a spec is a mapping (weft: 1, source, "
                         f"stages), not {kind}", text)

    def test_that_is_nested_without_end(self):
        for text in ("a: " + "[" * 100000, "- " * 100000, "{a: " * 100000,
                     "? " * 100000):
            said = self.mistakes(text)
            self.assertEqual(len(said), 1)
            self.assertRegex(said[0],
                             "nested more than 32 deep|a key is a word")

    def test_that_is_a_directive_without_end(self):
        code, _, err = self.check(GOOD, "--set", b"on_error=[\n%\xf7\xf7]")
        self.assertEqual(code, 2)
        self.assertIn("the byte 0xf7 is not UTF-8, and YAML is", err)

    def test_that_ends_with_an_empty_block(self):
        for block in "|", ">":
            self.rejects("s.yaml:9:1: 'slots' is a whole number or auto, not "
                         "'' in quotes", f"{GOOD}slots: {block}\n")

    def test_that_expands_without_end(self):
        bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 9) + "]\n"
            for i in range(1, 12))
        said = self.mistakes(bomb)
        self.assertEqual(len(said), 1)
        self.assertIn("more than 20000 values: this is no spec", said[0])
        self.rejects_at("*a", "no &a comes before this *a", "a: &a [*a]\n")

    def test_that_cannot_be_read(self):
        code, _, err = weft("check", "nope.yaml", cwd=self.folder)
        self.assertEqual((code, err), (2, "nope.yaml: cannot be opened: No "
                                          "such file or directory\n"))
        code, _, err = weft("check", ".", cwd=self.folder)
        self.assertEqual((code, err),
                         (2, ".: is a folder; a spec is a YAML file\n"))

    def test_that_may_not_be_read(self):
        nobody = {} if os.geteuid() else {"user": 65534, "group": 65534,
                                          "extra_groups": []}
        path = self.folder / "s.yaml"
        path.write_text(GOOD)
        path.chmod(0)
        self.folder.chmod(0o755)
        try:
            code, _, err = weft("check", "s.yaml", cwd=self.folder, **nobody)
        except PermissionError:
            self.skipTest("nobody may not run the command")
        self.assertEqual((code, err),
                         (2, "s.yaml: cannot be opened: Permission denied\n"))


class ASetting(SpecTest):
    def test_replaces_what_the_spec_says(self):
        bad = GOOD.replace("inflight: 64", "inflight: 0") \
                  .replace("quality: 90", "quality: 101") \
                  .replace("path: photos", "path: [x]")
        self.assertEqual(len(self.mistakes(bad)), 3)
        self.accepts(bad, "--set", "stages.read.inflight=128",
                     "--set", "stages.encode.with.quality=80",
                     "--set", "source.path=p")
        self.accepts(bad, "--set", "stages.read.tokens=128",
                     "--set", "stages.encode.quality=80", "--input", "p")

    def test_adds_what_the_spec_does_not_say(self):
        for setting in ("workers=3", "slots=1000", "on_error=stop",
                        "on_error.at_most=3", "on_error={at_most: 3}",
                        "stages.decode.fit=contain", "source.order=none",
                        "stages.shard.max_count=5", "stages.read.order=input",
                        'source.match=["*.png", "*.PNG"]'):
            self.accepts(GOOD, "--set", setting)

    def test_that_is_wrong_is_shown_where_it_was_written(self):
        for setting, sentence in (
                ("stages.read.inflight=0",
                 "'inflight' is 1 to 65536 or auto; 0 is too small"),
                ("stages.encode.quality=x",
                 "'quality' is a whole number (percent), not 'x'"),
                ("stages.encode.qualty=1", "image.jpeg has no parameter "
                 "'qualty'; did you mean 'quality'?"),
                ("stages.raed.inflight=1",
                 "there is no stage 'raed'; did you mean 'read'?"),
                ("stages.encode.use=image.jpg", "there is no operator "
                 "'image.jpg'; did you mean 'image.jpeg'?"),
                ("workers=0", "'workers' is 1 to 1024 or auto; 0 is too "
                 "small"),
                ("worker=1", "a spec has no key 'worker'; did you mean "
                 "'workers'?"),
                ("stages.read.inflght=1", "this stage has no key "
                 "'inflght'; did you mean 'inflight'?"),
                ("stages.read.ordr=any", "this stage has no key "
                 "'ordr'; did you mean 'order'?"),
                ("slots.x=1", "'slots' has nothing below it"),
                ("souce.path=x", "'souce' has nothing below it; did you mean "
                 "'source'?"),
                ("stages=1", "say what to set: source.KEY=VALUE or "
                 "stages.NAME.KEY=VALUE"),
                ("stages.read=1", "say what to set: stages.NAME.KEY=VALUE"),
                ("stages.read.with=1", "name the parameter: with.NAME=VALUE"),
                ("stages.read.inflight.x=1", "the place ends with 'inflight'; "
                 "nothing is below it"),
                ("source.match=[", "not YAML: flow sequence without a closing "
                 "bracket"),
                ("stages.read.max_bytes=", "'max_bytes' is a size such as "
                 "65536, 64KiB, 10MB or 2GiB, not nothing")):
            self.rejects(f"--set {setting}: {sentence}", GOOD,
                         "--set", setting)

    def test_is_shown_after_the_mistakes_of_the_file(self):
        said = self.mistakes(GOOD.replace("quality: 90", "quality: 0"),
                             "--set", "workers=0")
        self.assertEqual([line.split(":")[0] for line in said],
                         ["s.yaml", "--set workers=0"])

    def test_that_comes_later_wins(self):
        self.accepts(GOOD, "--set", "workers=0", "--set", "workers=1")

    def test_of_the_input_is_no_yaml(self):
        self.accepts(GOOD, "--input", "[a: {b")

    def test_of_the_output_needs_a_pattern_and_a_plain_name(self):
        self.accepts(GOOD, "--output", "elsewhere")
        self.rejects("--output a%b: a folder with '%' or '{' in its name "
                     "cannot be part of a pattern", GOOD, "--output", "a%b")
        self.rejects("--output : the folder has no name", GOOD,
                     "--output", "")


if __name__ == "__main__":
    unittest.main()
