/* fuzz_names.c: any path of an input as the name of an output.
 *
 * The first line is what the bytes are said to be, the rest is the key. A shard
 * is written by tar.shard itself, read again by libarchive, and its names lead
 * nowhere but down; so does the path of file.write. */
#include <archive.h>
#include <archive_entry.h>
#include <limits.h>
#include <unistd.h>

#include "cli/ops/name.h"
#include "cli/ops/ops.h"
#include "cli/params.h"
#include "cli/resume.h"
#include "cli/utf8.h"
#include "cli/yaml.h"
#include "tests/fuzz/fuzz.h"

/* One line of UTF-8, relative, of parts that a file system takes. */
static void check_name(const char *name, size_t size)
{
    CHECK(size > 0 && memchr(name, 0, size) == NULL);
    for (size_t at = 0; at < size;) {
        uint32_t c;
        at += utf8_decode(name + at, size - at, &c);
        CHECK(c != UTF8_INVALID && c >= 0x20 && (c < 0x7f || c >= 0xa0));
    }
    for (const char *part = name, *end = name + size; part <= end;) {
        const char *slash = memchr(part, '/', (size_t)(end - part));
        size_t length = (size_t)((slash ? slash : end) - part);
        CHECK(length > 0 && length <= NAME_MAX);
        CHECK(!(length == 1 && *part == '.'));
        CHECK(!(length == 2 && part[0] == '.' && part[1] == '.'));
        part += length + 1;
    }
}

static void check_key(const char *key, char dot)
{
    struct buffer name = { 0 };
    CHECK(name_from_key(&name, key, dot) == 0);
    check_name((const char *)name.data, name.size);
    const char *slash = memrchr(name.data, '/', name.size);
    const char *last = slash ? slash + 1 : (const char *)name.data;
    size_t length = (size_t)((const char *)name.data + name.size - last);
    CHECK(length <= NAME_LONGEST);
    CHECK(dot == '.' || !memchr(last, '.', length));
    buffer_free(&name);
}

static void check_shard(const char *path, const struct item *item)
{
    struct archive *a = archive_read_new();
    struct archive_entry *entry;
    int members = 0;
    archive_read_support_format_tar(a);
    CHECK(archive_read_open_filename(a, path, 1 << 16) == ARCHIVE_OK);
    for (; archive_read_next_header(a, &entry) == ARCHIVE_OK; members++) {
        const char *name = archive_entry_pathname(entry);
        CHECK(name && archive_entry_filetype(entry) == AE_IFREG);
        check_name(name, strlen(name));
        if (members == 0)
            CHECK((size_t)archive_entry_size(entry) == item->bytes.size);
    }
    CHECK(members == 2);
    archive_read_free(a);
}

/* One shard with this one item. */
static void write_shard(const char *pattern, struct item *item)
{
    struct arena *memory = arena_create();
    struct diag diag = { .memory = memory, .path = "fuzz" };
    struct resume nothing = { 0 };
    struct job job = { .workers = 1, .sandbox = -1, .resume = &nothing };
    weft_error why;
    void *state;
    const char *text = arena_format(memory, "{pattern: '%s'}", pattern);
    const struct node *with = yaml_parse(&diag, text, strlen(text), NULL);
    void *params = params_fill(&diag, &op_tar_shard, with, (struct place){ 0 });
    CHECK(diag.count == 0);
    CHECK(op_tar_shard.open(&state, &job, params, &why) == 0);
    CHECK(op_tar_shard.fn(NULL, item, state) == 0);
    CHECK(op_tar_shard.close(state, true, &why) == 0);
    op_tar_shard.destroy(state);
    arena_destroy(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char folder[] = "/dev/shm/weft-fuzz-XXXXXX", pattern[64], path[64];
    char *text = fuzz_string(data, size), *key = text;
    const char *extension = name_extension(strsep(&key, "\n"));

    if (!*pattern) {
        CHECK(mkdtemp(folder));
        snprintf(pattern, sizeof pattern, "%s/%%d.tar", folder);
        snprintf(path, sizeof path, "%s/0.tar", folder);
    }
    CHECK(strlen(extension) < EXTENSION_LONGEST && !strchr(extension, '.'));
    if (key && strcmp(extension, "json") != 0) {
        struct item item = { .path = "photo", .key = key };
        item.extension = extension;
        item.bytes.data = (unsigned char *)key;
        item.bytes.size = strlen(key);
        check_key(key, '.');
        check_key(key, '_');
        write_shard(pattern, &item);
        check_shard(path, &item);
        CHECK(unlink(path) == 0);
    }
    free(text);
    return 0;
}
