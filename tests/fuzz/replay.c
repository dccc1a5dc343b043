/* replay.c: gives a target every input of its corpus, where there is no
 * libFuzzer to do it. */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

static void replay(const char *folder, const char *name)
{
    char path[4096];
    struct stat st;
    CHECK(snprintf(path, sizeof path, "%s/%s", folder, name) <
          (int)sizeof path);
    FILE *file = fopen(path, "rb");
    CHECK(file && fstat(fileno(file), &st) == 0);
    size_t size = (size_t)st.st_size;
    uint8_t *data = malloc(size + 1);
    CHECK(data && fread(data, 1, size, file) == size);
    fclose(file);
    printf("%s\n", name);
    fflush(stdout); /* should it die, this is the one */
    LLVMFuzzerTestOneInput(data, size);
    free(data);
}

int main(int argc, char **argv)
{
    const struct dirent *entry;
    int count = 0;
    CHECK(argc == 2);
    DIR *dir = opendir(argv[1]);
    CHECK(dir);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.') {
            replay(argv[1], entry->d_name);
            count++;
        }
    closedir(dir);
    printf("%d inputs\n", count);
    CHECK(count > 0);
    return 0;
}
