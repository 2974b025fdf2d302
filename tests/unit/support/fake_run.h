/* The engine's side of an operation (the sf_op_* functions of kind.h), played in memory for unit tests of drivers: intents
 * always succeed and are written down, secrets are kept in clear, warnings are gathered. Include it from the one file of a test
 * program: its functions then stand for engine/run/op.c, which the linker leaves out. */
#ifndef SF_TESTS_FAKE_RUN_H
#define SF_TESTS_FAKE_RUN_H

#include "engine/core/clock.h"
#include "engine/kind.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>

enum { FAKE_SECRETS = 16, FAKE_SECRET_BYTES = 32768 };

/* What the drivers of this test program told the engine, one line each. */
static char fake_warnings[8192];
static char fake_calls[8192];
/* Identity reported last. */
static char fake_made[256];
/* Set: sf_op_intent() answers this once, as after a signal. */
static enum sf_code fake_intent_fails;

static void fake_append(char *all, size_t size, const char *text)
{
    size_t n = strlen(all);
    if (n + strlen(text) + 2 < size)
        snprintf(all + n, size - n, "%s\n", text);
}

static inline void fake_forget(void)
{
    fake_warnings[0] = fake_calls[0] = fake_made[0] = 0;
    fake_intent_fails = SF_OK;
}

enum sf_code sf_op_intent(struct sf_op *op, const char *call, struct sf_err *err)
{
    assert_false(op->is_planning);
    enum sf_code rc = fake_intent_fails;
    fake_intent_fails = SF_OK;
    if (rc)
        return sf_fail(err, rc, "'%s' was not let through", call);
    fake_append(fake_calls, sizeof(fake_calls), call);
    return SF_OK;
}

enum sf_code sf_op_made(struct sf_op *op, struct sf_str id, struct sf_err *err)
{
    (void)err;
    assert_false(op->is_planning);
    assert_true(id.n > 0);
    snprintf(fake_made, sizeof(fake_made), "%.*s", SF_ARG(id));
    fake_append(fake_calls, sizeof(fake_calls), "made");
    return SF_OK;
}

const struct sf_object *sf_op_ref(const struct sf_op *op, const struct sf_object *of, const char *attr, size_t i)
{
    const struct sf_object *self = of ? of : op->self;
    const struct sf_value *ref = sf_map_getz(self->refs, attr);
    if (ref && ref->type == SF_V_LIST)
        ref = i < ref->list.n ? ref->list.items[i] : NULL;
    else if (i > 0)
        return NULL;
    for (size_t k = 0; ref && k < self->n_deps; k++) {
        if (sf_str_eq(self->deps[k]->address, ref->s))
            return self->deps[k];
    }
    return NULL;
}

static struct fake_secret {
    char address[128], name[64], text[FAKE_SECRET_BYTES];
    size_t n;
} fake_secrets[FAKE_SECRETS];

static inline void fake_forget_secrets(void)
{
    memset(fake_secrets, 0, sizeof(fake_secrets));
}

enum sf_code sf_op_seal(struct sf_op *op, const char *name, struct sf_str secret, struct sf_err *err)
{
    (void)err;
    assert_false(op->is_planning);
    assert_true(secret.n < FAKE_SECRET_BYTES);
    for (size_t i = 0; i < FAKE_SECRETS; i++) {
        struct fake_secret *s = &fake_secrets[i];
        bool is_same = sf_str_is(op->self->address, s->address) && strcmp(s->name, name) == 0;
        if (s->address[0] && !is_same)
            continue;
        snprintf(s->address, sizeof(s->address), "%.*s", SF_ARG(op->self->address));
        snprintf(s->name, sizeof(s->name), "%s", name);
        memcpy(s->text, secret.p, secret.n);
        s->n = secret.n;
        fake_append(fake_calls, sizeof(fake_calls), "seal");
        return SF_OK;
    }
    fail_msg("more than %d secrets", FAKE_SECRETS);
    return SF_E_INTERNAL;
}

enum sf_code sf_op_unseal(struct sf_op *op, const struct sf_object *of, const char *name, struct sf_str *secret, struct sf_err *err)
{
    struct sf_str address = of ? of->address : op->self->address;
    for (size_t i = 0; i < FAKE_SECRETS; i++) {
        const struct fake_secret *s = &fake_secrets[i];
        if (!s->address[0] || !sf_str_is(address, s->address) || strcmp(s->name, name) != 0)
            continue;
        *secret = sf_str_dup(op->arena, (struct sf_str){s->text, s->n});
        return SF_OK;
    }
    return sf_fail(err, SF_E_ABSENT, "no secret '%s' is kept for '%.*s'", name, SF_ARG(address));
}

struct sf_str sf_op_fingerprint(struct sf_op *op, struct sf_str secret)
{
    return sf_str_fmt(op->arena, "hmac:%.*s", SF_ARG(sf_sha256_hex(op->arena, secret)));
}

void sf_op_progress(struct sf_op *op, const char *fmt, ...)
{
    (void)op;
    (void)fmt;
}

void sf_op_progress_of(struct sf_op *op, const char *what, uint64_t done, uint64_t total, const char *unit)
{
    (void)op;
    (void)what;
    (void)done;
    (void)total;
    (void)unit;
}

void sf_op_warn(struct sf_op *op, const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    (void)op;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    fake_append(fake_warnings, sizeof(fake_warnings), line);
}

/* What became of checks, a line each: "name failed 3"; those that passed or were skipped are left out. */
static char fake_checks[8192];

bool sf_op_has_check(struct sf_op *op, struct sf_str name)
{
    const struct sf_value *accepted = op->site->accepted_checks;
    for (size_t i = 0; accepted && i < accepted->list.n; i++)
        if (sf_str_eq(accepted->list.items[i]->s, name))
            return true;
    return false;
}

void sf_op_report_check(struct sf_op *op, const struct sf_check_report *report)
{
    static const char *const words[] = {"skipped", "passed", "failed", "warned", "accepted"};
    (void)op;
    if (report->outcome == SF_CHECK_SKIPPED || report->outcome == SF_CHECK_PASSED)
        return;
    char line[256];
    snprintf(line, sizeof(line), "%.*s %s %lld", SF_ARG(report->name), words[report->outcome], (long long)report->failing);
    fake_append(fake_checks, sizeof(fake_checks), line);
}

bool sf_op_is_cancelled(const struct sf_op *op)
{
    (void)op;
    return false;
}

#endif
