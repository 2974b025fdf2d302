/* The JUnit file, in the form that CI servers read: testsuites, testsuite, testcase, failure, error, skipped, system-out. See
 * check_report.h. */
#include "engine/cli/check_report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_JUNIT_BYTES = 64 * 1024 * 1024 };

struct counts {
    size_t tests, failures, errors, skipped;
};

/* Bytes of the UTF-8 character at `p`; 0 when it is none, or none that XML 1.0 allows (section 2.2, Char). */
static size_t character(const char *p, size_t n)
{
    unsigned char c = (unsigned char)p[0];
    size_t length = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (length > n || !sf_str_is_utf8((struct sf_str){p, length}))
        return 0;
    if (length == 1 && c < 0x20 && c != '\t' && c != '\n' && c != '\r')
        return 0;
    bool is_noncharacter = length == 3 && c == 0xef && (unsigned char)p[1] == 0xbf && (unsigned char)p[2] >= 0xbe;
    return is_noncharacter ? 0 : length;
}

static void add_text(struct sf_buf *out, struct sf_str text, bool is_attribute)
{
    for (size_t i = 0, n; i < text.n; i += n ? n : 1) {
        char c = text.p[i];
        n = character(text.p + i, text.n - i);
        if (n == 0)
            sf_buf_addf(out, "\\x%02x", (unsigned char)c);
        else if (c == '&')
            sf_buf_addz(out, "&amp;");
        else if (c == '<')
            sf_buf_addz(out, "&lt;");
        else if (c == '>')
            sf_buf_addz(out, "&gt;");
        else if (c == '"' && is_attribute)
            sf_buf_addz(out, "&quot;");
        else if (c == '\r' || (is_attribute && (c == '\n' || c == '\t'))) /* a reader would make blanks of them */
            sf_buf_addf(out, "&#%d;", c);
        else
            sf_buf_add(out, sf_str_slice(text, i, i + n));
    }
}

static void add_attribute(struct sf_buf *out, const char *name, struct sf_str text)
{
    sf_buf_addf(out, " %s=\"", name);
    add_text(out, text, true);
    sf_buf_addc(out, '"');
}

static void open_case(struct sf_buf *out, struct counts *counts, struct sf_str address, struct sf_str name)
{
    counts->tests++;
    sf_buf_addz(out, "    <testcase");
    add_attribute(out, "classname", address);
    add_attribute(out, "name", name);
    sf_buf_addc(out, '>');
}

static void add_element(struct sf_buf *out, const char *element, struct sf_str message, struct sf_str text)
{
    sf_buf_addf(out, "<%s", element);
    if (message.n)
        add_attribute(out, "message", message);
    sf_buf_addc(out, '>');
    add_text(out, text, false);
    sf_buf_addf(out, "</%s>", element);
}

/* The step that would have run the checks; NULL when there was none. A replacement has another one, which takes away. */
static const struct sf_step *step_of(const struct sf_run *run, struct sf_str address)
{
    for (size_t i = 0; i < run->n_steps; i++) {
        enum sf_verb verb = run->steps[i]->verb;
        if (sf_str_eq(run->steps[i]->node->address, address) && (verb == SF_VERB_CREATE || verb == SF_VERB_UPDATE))
            return run->steps[i];
    }
    return NULL;
}

/* Why a check was not run. */
static struct sf_str why_skipped(struct sf_arena *arena, const struct sf_step *step, const struct sf_err *failure)
{
    if (failure && failure->message[0])
        return sf_str_fmt(arena, "nothing was applied: %s", failure->message);
    if (!step)
        return SF_STR("nothing to load: what is published passed when it was loaded");
    switch (step->status) {
    case SF_STATUS_FAILED:
    case SF_STATUS_UNKNOWN:
        return step->err ? sf_str_fmt(arena, "not reached: %s", step->err->message) : SF_STR("not reached");
    case SF_STATUS_SKIPPED:
    case SF_STATUS_WAITING:
    case SF_STATUS_RUNNING:
        return SF_STR("not started: something that it needs was not done");
    case SF_STATUS_DONE:
        break;
    }
    return SF_STR("nothing was loaded");
}

static void add_check(struct sf_buf *out, const struct sf_run *run, struct sf_arena *arena, struct counts *counts,
                      const struct sf_run_check *check, struct sf_str why)
{
    open_case(out, counts, check->address, check->name);
    switch (check->outcome) {
    case SF_CHECK_PASSED:
        break;
    case SF_CHECK_SKIPPED:
        counts->skipped++;
        add_element(out, "skipped", why, SF_STR_NONE);
        break;
    case SF_CHECK_FAILED:
        counts->failures++;
        add_element(out, "failure", check->failing ? sf_checks_say(arena, run, check) : SF_STR("failed; nothing was published"),
                    check->rows);
        break;
    case SF_CHECK_WARNED: /* JUnit knows no warnings: the case passes, and says so */
    case SF_CHECK_ACCEPTED:
        add_element(out, "system-out", SF_STR_NONE,
                    sf_str_fmt(arena, "warning: %s\n%.*s\n", sf_checks_say(arena, run, check).p, SF_ARG(check->rows)));
        break;
    }
    sf_buf_addz(out, "</testcase>\n");
}

static void add_published(struct sf_buf *out, struct counts *counts, struct sf_str address, const struct sf_step *step,
                          const struct sf_err *failure, struct sf_str why, bool has_failed_check)
{
    open_case(out, counts, address, SF_STR("published"));
    bool is_wrong = step && (step->status == SF_STATUS_FAILED || step->status == SF_STATUS_UNKNOWN);
    if (failure && failure->message[0]) {
        counts->errors++;
        add_element(out, "error", sf_str_of(failure->message), sf_str_of(failure->hint));
    } else if (is_wrong && !has_failed_check && step->err) {
        counts->errors++;
        add_element(out, "error", sf_str_of(step->err->message), sf_str_of(step->err->hint));
    } else if (is_wrong || !step || step->status != SF_STATUS_DONE) {
        counts->skipped++;
        add_element(out, "skipped", has_failed_check ? SF_STR("a check failed") : why, SF_STR_NONE);
    }
    sf_buf_addz(out, "</testcase>\n");
}

static void add_counts(struct sf_buf *out, const struct counts *counts)
{
    sf_buf_addf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\"", counts->tests, counts->failures,
                counts->errors, counts->skipped);
}

/* All checks of one resource, which is that of `first`. */
static void add_suite(struct sf_buf *out, struct sf_arena *arena, const struct sf_run *run, const struct sf_run_check *first,
                      const struct sf_err *failure, struct counts *all)
{
    struct counts counts = {0};
    struct sf_buf cases = SF_BUF(MAX_JUNIT_BYTES);
    const struct sf_step *step = step_of(run, first->address);
    struct sf_str why = why_skipped(arena, step, failure);
    bool has_failed = false;
    for (const struct sf_run_check *check = first; check; check = check->next) {
        if (!sf_str_eq(check->address, first->address))
            continue;
        add_check(&cases, run, arena, &counts, check, why);
        has_failed |= check->outcome == SF_CHECK_FAILED;
    }
    add_published(&cases, &counts, first->address, step, failure, why, has_failed);
    sf_buf_addz(out, "  <testsuite");
    add_attribute(out, "name", first->address);
    add_counts(out, &counts);
    if (step && step->ended_ms > step->started_ms)
        sf_buf_addf(out, " time=\"%.3f\"", (double)(step->ended_ms - step->started_ms) / 1000.0);
    sf_buf_addz(out, ">\n");
    sf_buf_add(out, sf_buf_str(&cases));
    sf_buf_addz(out, "  </testsuite>\n");
    sf_buf_free(&cases);
    all->tests += counts.tests;
    all->failures += counts.failures;
    all->errors += counts.errors;
    all->skipped += counts.skipped;
}

static enum sf_code write_all(int fd, const char *path, struct sf_str bytes, struct sf_err *err)
{
    enum sf_code rc = SF_OK;
    for (size_t n = 0; !rc && n < bytes.n;) {
        ssize_t wrote = fd < 0 ? -1 : write(fd, bytes.p + n, bytes.n - n);
        if (wrote < 0 && fd >= 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            rc = sf_fail_errno(err, SF_E_IO, "cannot write the JUnit file '%s'", path);
        else
            n += (size_t)wrote;
    }
    if (fd >= 0 && close(fd) < 0 && !rc)
        rc = sf_fail_errno(err, SF_E_IO, "cannot write the JUnit file '%s'", path);
    return rc;
}

/* Only a file is replaced by a new one: a device, a pipe and what a link leads to are written into. */
static bool is_replaced(const char *path)
{
    struct stat st;
    return lstat(path, &st) < 0 ? errno == ENOENT && path[0] : S_ISREG(st.st_mode);
}

static enum sf_code write_file(struct sf_arena *arena, const char *path, struct sf_str bytes, struct sf_err *err)
{
    const char *beside = sf_str_fmt(arena, "%s.%ld.new", path, (long)getpid()).p;
    bool is_new = is_replaced(path);
    int fd = is_new ? open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)
                    : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0644);
    if (fd >= 0) /* a pipe that nobody reads is refused at once; one that is read slowly is waited for */
        (void)fcntl(fd, F_SETFL, 0);
    enum sf_code rc = write_all(fd, path, bytes, err);
    if (!rc && is_new && rename(beside, path) < 0)
        rc = sf_fail_errno(err, SF_E_IO, "cannot write the JUnit file '%s'", path);
    if (rc && is_new && fd >= 0)
        unlink(beside);
    return rc;
}

enum sf_code sf_junit_write(const struct sf_run *run, const char *path, const struct sf_err *failure, struct sf_err *err)
{
    struct sf_arena *arena = sf_arena_new();
    struct sf_buf suites = SF_BUF(MAX_JUNIT_BYTES), out = SF_BUF(MAX_JUNIT_BYTES);
    struct counts all = {0};
    for (const struct sf_run_check *check = run->checks; check; check = check->next) {
        const struct sf_run_check *earlier = run->checks;
        while (earlier != check && !sf_str_eq(earlier->address, check->address))
            earlier = earlier->next;
        if (earlier == check)
            add_suite(&suites, arena, run, check, failure, &all);
    }
    if (!run->checks && failure && failure->message[0]) { /* it ended before anything could be told of checks */
        sf_buf_addz(&suites, "  <testsuite name=\"sfapply\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\">\n");
        add_published(&suites, &all, SF_STR("sfapply"), NULL, failure, SF_STR_NONE, false);
        sf_buf_addz(&suites, "  </testsuite>\n");
    }
    sf_buf_addz(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"sfapply\"");
    add_counts(&out, &all);
    sf_buf_addz(&out, ">\n");
    sf_buf_add(&out, sf_buf_str(&suites));
    sf_buf_addz(&out, "</testsuites>\n");
    enum sf_code rc = write_file(arena, path, sf_buf_str(&out), err);
    sf_buf_free(&suites);
    sf_buf_free(&out);
    sf_arena_free(arena);
    return rc;
}
