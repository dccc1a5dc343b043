/* nomem.h: which allocation fails, of a program that we are loaded into or
 * linked with.
 *
 *     FAULT_AT=N    the N-th fails, counted from 1 over all threads
 *     FAULT_ON=1    and so do all after it
 *     FAULT_TOLD=FILE  gets a line at the end: how many there were */
#ifndef WEFT_TESTS_FAULTS_NOMEM_H
#define WEFT_TESTS_FAULTS_NOMEM_H
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long count;
static long at; /* 0: none fails */
static bool on, counts;
static _Thread_local bool excepted __attribute__((tls_model("initial-exec")));

static bool fails(void)
{
    if (!counts || excepted)
        return false;
    long n = atomic_fetch_add(&count, 1) + 1;
    if (!at || n < at || (n > at && !on))
        return false;
    errno = ENOMEM;
    return true;
}

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("FAULT_AT");
    at = text ? atol(text) : 0;
    on = getenv("FAULT_ON");
    counts = true;
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("FAULT_TOLD");
    char line[32];
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
    if (fd < 0)
        return;
    int length = snprintf(line, sizeof line, "%ld\n", (long)count);
    if (write(fd, line, (size_t)length) != length)
        _exit(125);
    close(fd);
}
#endif
