/* sfsample: writes a generated sample of the spending-and-revenue table, and its answer key. The library does the work. */
#include "resources/data/sample/sample.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_USAGE = 64, KEY_BYTES = 256 * 1024 * 1024 };

static const char help[] =
    "usage: sfsample [options]\n"
    "\n"
    "Writes a GENERATED SAMPLE of San Francisco's spending and revenue table as CSV: its shape, its sizes and its\n"
    "quirks, with invented names and amounts. NOT THE CITY'S FIGURES. Same options, same bytes, on every machine.\n"
    "\n"
    "  -o FILE              write the CSV there instead of to standard output\n"
    "  -key FILE            write the answer key (JSON): totals, counts, injected defects by row; \"-\" is standard output\n"
    "  -rows N              rows of week 0, 1 to 100,000,000 (default 776841, the real table's)\n"
    "  -seed N              another sample of the same shape (default 1)\n"
    "  -as-of N             week N, 0 to 520 (default 0): the open year grows, older years are restated\n"
    "  -layout 2026         2026 (24 columns, default), 2022 or 2017 (22 columns)\n"
    "  -header api          api (fiscal_year, default) or display (Fiscal Year)\n"
    "  -quirks all          all (default) or none: nulls, odd spellings, mojibake, zeros, duplicates\n"
    "  -crlf                line ends of Windows\n"
    "  -bom                 begin with a byte order mark\n"
    "  -no-final-newline    no line end after the last row\n"
    "  -quote-all           quote every field, not only where a comma needs it\n"
    "  -thousands           amounts like \"1,234,567.80\"\n"
    "  -drop-zeros          amounts like 1234567.8 and 300\n"
    "  -shuffle             rows in scattered order, not by fiscal year\n"
    "  -threads N           threads to use, at most 8 (default: one per processor); the bytes do not depend on it\n"
    "  -version             print the generator's version\n"
    "  -help                print this\n"
    "\n"
    "Options may be written with one dash or two, and as -name=value.\n";

struct options {
    struct sf_sample_spec spec;
    const char *output;
    const char *key;
    unsigned threads;
};

static enum sf_code usage(struct sf_err *err, const char *what, const char *value)
{
    sf_fail(err, SF_E_USAGE, "%s '%s'", what, value);
    sf_hint(err, "sfsample -help lists the options");
    return SF_E_USAGE;
}

/* A whole number from 0 to `max`. */
static enum sf_code number(const char *name, const char *text, uint64_t max, uint64_t *out, struct sf_err *err)
{
    uint64_t n = 0;
    bool is_good = *text != '\0';
    for (const char *p = text; *p && is_good; p++) {
        is_good = *p >= '0' && *p <= '9' && n <= (UINT64_MAX - 9) / 10;
        n = n * 10 + (uint64_t)(*p - '0');
    }
    if (!is_good || n > max) {
        sf_fail(err, SF_E_USAGE, "-%s: '%s' is not a whole number from 0 to %llu", name, text, (unsigned long long)max);
        sf_hint(err, "sfsample -help lists the options");
        return SF_E_USAGE;
    }
    *out = n;
    return SF_OK;
}

enum option {
    OPT_CRLF,
    OPT_BOM,
    OPT_NO_FINAL_NEWLINE,
    OPT_QUOTE_ALL,
    OPT_THOUSANDS,
    OPT_DROP_ZEROS,
    OPT_SHUFFLE,
    OPT_HELP,
    OPT_VERSION,
    OPT_OUTPUT, /* from here on with a value */
    OPT_KEY,
    OPT_ROWS,
    OPT_SEED,
    OPT_AS_OF,
    OPT_LAYOUT,
    OPT_HEADER,
    OPT_QUIRKS,
    OPT_THREADS,
    N_OPTIONS,
};
static const char *const option_names[N_OPTIONS] = {
    "crlf", "bom",   "no-final-newline", "quote-all", "thousands", "drop-zeros", "shuffle", "help", "version", "o", "key", "rows",
    "seed", "as-of", "layout",           "header",    "quirks",    "threads",
};

static enum sf_code one_of(const char *name, const char *value, const char *a, const char *b, bool *is_b, struct sf_err *err)
{
    *is_b = strcmp(value, b) == 0;
    if (*is_b || strcmp(value, a) == 0)
        return SF_OK;
    sf_fail(err, SF_E_USAGE, "-%s: '%s' is neither %s nor %s", name, value, a, b);
    return SF_E_USAGE;
}

static enum sf_code set_value(struct options *o, enum option option, const char *value, struct sf_err *err)
{
    const char *name = option_names[option];
    uint64_t n = 0;
    enum sf_code rc = SF_OK;
    switch (option) {
    case OPT_OUTPUT:
        o->output = strcmp(value, "-") ? value : NULL;
        return SF_OK;
    case OPT_KEY:
        o->key = value;
        return SF_OK;
    case OPT_ROWS:
        return number(name, value, SF_SAMPLE_MAX_ROWS, &o->spec.rows, err);
    case OPT_SEED:
        return number(name, value, INT64_MAX, &o->spec.seed, err);
    case OPT_AS_OF:
        rc = number(name, value, SF_SAMPLE_MAX_WEEK, &n, err);
        o->spec.as_of = (uint32_t)n;
        return rc;
    case OPT_THREADS:
        rc = number(name, value, 1024, &n, err);
        o->threads = (unsigned)n;
        return rc;
    case OPT_LAYOUT:
        rc = number(name, value, 9999, &n, err);
        if (!rc && n != 2026 && n != 2022 && n != 2017)
            return usage(err, "no such layout:", value);
        o->spec.layout = n == 2017 ? SF_SAMPLE_2017 : n == 2022 ? SF_SAMPLE_2022 : SF_SAMPLE_2026;
        return rc;
    case OPT_HEADER:
        return one_of(name, value, "api", "display", &o->spec.display_header, err);
    case OPT_QUIRKS:
        return one_of(name, value, "all", "none", &o->spec.no_quirks, err);
    case OPT_CRLF:
    case OPT_BOM:
    case OPT_NO_FINAL_NEWLINE:
    case OPT_QUOTE_ALL:
    case OPT_THOUSANDS:
    case OPT_DROP_ZEROS:
    case OPT_SHUFFLE:
    case OPT_HELP:
    case OPT_VERSION:
    case N_OPTIONS:
        break;
    }
    return SF_OK;
}

static bool *flag_of(struct options *o, enum option option)
{
    bool *const flags[] = {&o->spec.crlf,      &o->spec.bom,        &o->spec.no_final_newline, &o->spec.quote_all,
                           &o->spec.thousands, &o->spec.drop_zeros, &o->spec.shuffle};
    return option < SF_COUNT(flags) ? flags[option] : NULL;
}

/* *done: help or version was printed. */
static enum sf_code parse(int argc, char **argv, struct options *o, bool *done, struct sf_err *err)
{
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (arg[0] != '-' || arg[1] == '\0')
            return usage(err, "unexpected argument", arg);
        const char *name = arg + (arg[1] == '-' ? 2 : 1);
        size_t n = strcspn(name, "=");
        unsigned option = 0;
        while (option < N_OPTIONS && (strlen(option_names[option]) != n || strncmp(option_names[option], name, n) != 0))
            option++;
        if (option == N_OPTIONS && !(n == 1 && *name == 'h'))
            return usage(err, "no such option:", arg);
        if (option == OPT_HELP || option == OPT_VERSION || option == N_OPTIONS) {
            if (option == OPT_VERSION)
                printf("sfsample %s\n", sf_sample_version);
            else
                fputs(help, stdout);
            *done = true;
            return SF_OK;
        }
        bool *flag = flag_of(o, option);
        if (flag && name[n] == '=')
            return usage(err, "takes no value:", arg);
        if (flag) {
            *flag = true;
            continue;
        }
        if (name[n] != '=' && i + 1 == argc)
            return usage(err, "needs a value:", arg);
        const char *value = name[n] == '=' ? name + n + 1 : argv[++i];
        enum sf_code rc = set_value(o, option, value, err);
        if (rc)
            return rc;
    }
    return SF_OK;
}

struct target {
    int fd;
    const char *name;
};

static enum sf_code write_all(void *ctx, const char *bytes, size_t n, struct sf_err *err)
{
    const struct target *target = ctx;
    while (n) {
        ssize_t wrote = write(target->fd, bytes, n);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return sf_fail_errno(err, SF_E_IO, "cannot write '%s'", target->name);
        bytes += wrote;
        n -= (size_t)wrote;
    }
    return SF_OK;
}

static enum sf_code open_target(const char *path, struct target *target, struct sf_err *err)
{
    *target = (struct target){STDOUT_FILENO, "standard output"};
    if (path == NULL || strcmp(path, "-") == 0)
        return SF_OK;
    *target = (struct target){open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), path};
    return target->fd < 0 ? sf_fail_errno(err, SF_E_IO, "cannot create '%s'", path) : SF_OK;
}

static enum sf_code close_target(struct target *target, enum sf_code rc, struct sf_err *err)
{
    if (target->fd == STDOUT_FILENO || target->fd < 0)
        return rc;
    if (close(target->fd) && !rc)
        return sf_fail_errno(err, SF_E_IO, "cannot write '%s'", target->name);
    return rc;
}

static enum sf_code write_key(const struct sf_sample *sample, const char *path, const struct sf_sample_file *file,
                              struct sf_err *err)
{
    struct target target;
    struct sf_buf key = SF_BUF(KEY_BYTES);
    enum sf_code rc = open_target(path, &target, err);
    if (rc)
        return rc;
    sf_sample_key(sample, file, &key);
    rc = close_target(&target, write_all(&target, key.p, key.n, err), err);
    sf_buf_free(&key);
    return rc;
}

static enum sf_code run(const struct options *o, struct sf_err *err)
{
    struct sf_sample *sample = NULL;
    struct sf_sample_file file;
    struct target target = {.fd = -1};
    bool key_is_output = o->key && strcmp(o->key, "-") == 0;
    if (key_is_output && !o->output)
        return usage(err, "CSV and key cannot both go to standard output: add -o FILE to", "-key -");
    enum sf_code rc = sf_sample_open(&o->spec, &sample, err);
    if (rc)
        return rc;
    rc = open_target(o->output, &target, err);
    if (!rc)
        rc = sf_sample_generate(sample, o->threads, write_all, &target, o->key ? &file : NULL, err);
    rc = close_target(&target, rc, err);
    if (!rc && o->key)
        rc = write_key(sample, o->key, &file, err);
    sf_sample_close(sample);
    return rc;
}

int main(int argc, char **argv)
{
    struct options options = {.spec = {.rows = SF_SAMPLE_REAL_ROWS, .seed = 1}};
    struct sf_err err = {0};
    bool done = false;
    enum sf_code rc = parse(argc, argv, &options, &done, &err);
    if (!rc && !done)
        rc = run(&options, &err);
    if (!rc && done && fflush(stdout))
        rc = sf_fail_errno(&err, SF_E_IO, "cannot write to standard output");
    if (!rc)
        return 0;
    fprintf(stderr, "error: %s\n", err.message);
    if (err.hint[0])
        fprintf(stderr, "hint: %s\n", err.hint);
    return rc == SF_E_USAGE || rc == SF_E_CONFIG ? EXIT_USAGE : sf_exit_code(rc);
}
