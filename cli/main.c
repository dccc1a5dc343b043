/* main.c: the `weft` command: finds the subcommand and calls it. */
#include <argp.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/output.h"
#include "cli/suggest.h"

static const struct command {
    const char *name, *title, *help;
    int (*call)(int argc, char **argv);
} commands[] = {
    { "run", "weft run", "run the pipeline that a spec describes", args_run },
    { "check", "weft check", "check a spec and show all mistakes", args_check },
    { "stages", "weft stages", "what a spec can use, with parameters",
      args_stages },
    { "topo", "weft topo", "which workers there will be, where, and why",
      args_topo },
    { "bench", "weft bench", "measure this machine, and say what looks wrong",
      args_bench },
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void print_help(FILE *out)
{
    fputs("Usage: weft COMMAND [OPTION...]\n"
          "Runs pipelines on every core of the machine.\n\n",
          out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-15s%s\n", commands[i].title, commands[i].help);
    fputs("\n"
          "  weft help COMMAND     how to use a command\n"
          "  weft --version        print the version\n",
          out);
}

static const struct command *find(const char *name)
{
    struct suggest meant = { .word = name };

    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
        suggest_try(&meant, commands[i].name);
    }
    fprintf(stderr, "weft: there is no command '%s'", name);
    if (meant.best)
        fprintf(stderr, "; did you mean '%s'?\n", meant.best);
    else
        fputs("; 'weft --help' lists them\n", stderr);
    return NULL;
}

static int call(const struct command *command, int argc, char **argv)
{
    char title[32]; /* argp may change what it gets */
    snprintf(title, sizeof(title), "%s", command->title);
    argv[0] = title;
    return command->call(argc, argv);
}

static int help(const char *name)
{
    static char option[] = "--help";
    if (!name) {
        print_help(stdout);
        return EXIT_OK;
    }
    const struct command *command = find(name);
    if (!command)
        return EXIT_USAGE;
    return call(command, 2, (char *[]){ NULL, option, NULL });
}

static bool is(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    argp_program_version = "weft " WEFT_VERSION;
    argp_err_exit_status = EXIT_USAGE;
    atexit(output_at_exit); /* argp exits as well */

    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (is(argv[1], "--help", "-h") || is(argv[1], "help", "-?"))
        return help(argc > 2 ? argv[2] : NULL);
    if (is(argv[1], "--version", "-V")) {
        puts(argp_program_version);
        return EXIT_OK;
    }
    const struct command *command = find(argv[1]);
    return command ? call(command, argc - 1, argv + 1) : EXIT_USAGE;
}
