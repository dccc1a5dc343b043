/* spec_text.c: the text of a spec, from its file.
 *
 * A person wrote it, so it is short and it is text. What is not is told apart
 * here, before a parser sees it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/spec_parts.h"
#include "cli/utf8.h"

enum { LIMIT = 1 << 20 };

/* At most `room` bytes; -1 with errno. */
static ssize_t read_up_to(int fd, char *data, size_t room)
{
    size_t size = 0;
    while (size < room) {
        ssize_t got = read(fd, data + size, room - size);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return -1;
        if (got > 0)
            size += (size_t)got;
    }
    return (ssize_t)size;
}

static bool is_text(struct diag *diag, const char *text, size_t size)
{
    const char *nul = memchr(text, 0, size);

    if (nul) {
        diag_file(diag, "byte %zu is a NUL: this is no text file, so no spec",
                  (size_t)(nul - text) + 1);
        return false;
    }
    size_t good = utf8_span(text, size);
    if (good < size) {
        diag->text = text;
        diag->size = size;
        diag_at(diag, (struct place){ .offset = good },
                "the byte 0x%02x is not UTF-8, and a spec is",
                (unsigned)(unsigned char)text[good]);
        return false;
    }
    return true;
}

static bool take(struct diag *diag, int fd)
{
    static const char mark[] = "\xef\xbb\xbf"; /* UTF-8, says an editor */
    char *text = arena_alloc(diag->memory, LIMIT + 2);
    ssize_t got = read_up_to(fd, text, LIMIT + 1);

    if (got < 0) {
        diag_file(diag, "cannot be read: %s", strerror(errno));
        return false;
    }
    if (got > LIMIT) {
        diag_file(diag, "larger than %d KiB: this is no spec", LIMIT >> 10);
        return false;
    }
    size_t size = (size_t)got;
    size_t skip = size >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;
    if (!is_text(diag, text + skip, size - skip))
        return false;
    diag->text = text + skip;
    diag->size = size - skip;
    return true;
}

bool spec_text(struct diag *diag)
{
    struct stat st;
    bool taken = false;
    int fd = open(diag->path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) != 0)
        diag_file(diag, "cannot be opened: %s", strerror(errno));
    else if (S_ISDIR(st.st_mode))
        diag_file(diag, "is a folder; a spec is a YAML file");
    else
        taken = take(diag, fd);
    if (fd >= 0)
        close(fd);
    return taken;
}
