/* For the tests of engine/lang: a few kinds of their own instead of the real ones, files in a temporary directory, and what the
 * diagnostics say. Included by one program each; it defines sf_schemas, so the generated tables are not linked. */
#ifndef SF_TESTS_LANG_LOAD_H
#define SF_TESTS_LANG_LOAD_H

#include "engine/core/json.h"
#include "engine/lang/expr.h"
#include "engine/lang/yaml.h"
#include "tests/unit/support/temp_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const to_bucket[] = {"bucket", NULL};
static const struct sf_attr text_of = {.name = "of", .type = SF_T_STRING};
static const struct sf_attr bucket_of = {.name = "of", .type = SF_T_REF, .to = to_bucket, .ref_attr = "arn"};
static const struct sf_attr bucket_attrs[] = {
    {.name = "name", .type = SF_T_STRING, .is_required = true, .check = "bucket_name", .summary = "name of the bucket"},
    {.name = "versioning", .type = SF_T_BOOL, .default_json = "false"},
    {.name = "size", .type = SF_T_INT, .has_min = true, .min = 1, .has_max = true, .max = 10},
    {.name = "tags", .type = SF_T_MAP, .of = &text_of},
    {.name = "policy", .type = SF_T_JSON},
    {.name = "class", .type = SF_T_STRING, .world = "aws"},
    {.name = "fast", .type = SF_T_BOOL, .world = "local"},
    {.name = "secret", .type = SF_T_STRING, .is_secret = true},
    {.name = "arn", .type = SF_T_STRING, .derive = "arn"},
    {.name = "made_at", .type = SF_T_STRING, .is_computed = true},
};
static const struct sf_attr user_attrs[] = {
    {.name = "name", .type = SF_T_STRING, .is_required = true},
    {.name = "home", .type = SF_T_REF, .to = to_bucket},
    {.name = "more", .type = SF_T_LIST, .of = &bucket_of},
};
static const struct sf_attr value_attrs[] = {{.name = "input", .type = SF_T_ANY},
                                             {.name = "output", .type = SF_T_ANY, .derive = "input"}};
static const struct sf_schema bucket_schema = {.kind = "bucket",
                                               .identity = "name",
                                               .attrs = bucket_attrs,
                                               .n_attrs = SF_COUNT(bucket_attrs)};
static const struct sf_schema user_schema = {.kind = "user",
                                             .identity = "name",
                                             .attrs = user_attrs,
                                             .n_attrs = SF_COUNT(user_attrs)};
static const struct sf_schema value_schema = {.kind = "value",
                                              .identity = "input",
                                              .attrs = value_attrs,
                                              .n_attrs = SF_COUNT(value_attrs)};
const struct sf_schema *const sf_schemas[] = {&bucket_schema, &user_schema, &value_schema, NULL};
const size_t sf_schemas_count = 3;

struct fixture {
    struct sf_arena *arena;
    struct sf_diags *diags;
    struct sf_stack *stack;
    char dir[TEMP_DIR_BYTES];
    struct sf_buf shown; /* the diagnostics as people see them */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->arena = sf_arena_new();
    f->diags = sf_diags_new(f->arena);
    f->shown = SF_BUF(1024 * 1024);
    temp_dir_make(f->dir, "lang");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    int rc = temp_dir_remove(f->dir);
    sf_buf_free(&f->shown);
    sf_arena_free(f->arena);
    free(f);
    return rc;
}

static const char *write_file(struct fixture *f, const char *name, const char *text, mode_t mode)
{
    const char *path = sf_str_fmt(f->arena, "%s/%s", f->dir, name).p;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, mode);
    return path;
}

/* A small environment: NULL-terminated pairs. */
static const char *const *test_environ;

static const char *test_getenv(const char *name)
{
    for (size_t i = 0; test_environ && test_environ[i]; i += 2)
        if (strcmp(test_environ[i], name) == 0)
            return test_environ[i + 1];
    return NULL;
}

static enum sf_code load_with(struct fixture *f, const char *text, const char *provider, const struct sf_var_setting *settings,
                              size_t n)
{
    const char *path = write_file(f, "stack.yaml", text, 0644);
    f->diags = sf_diags_new(f->arena);
    f->stack = NULL;
    enum sf_code rc = sf_stack_load(f->arena, path, sf_str_of(provider), settings, n, test_getenv, f->diags, &f->stack);
    sf_buf_clear(&f->shown);
    sf_diags_render(f->diags, &f->shown, false);
    return rc;
}

static inline enum sf_code load(struct fixture *f, const char *text)
{
    return load_with(f, text, NULL, NULL, 0);
}

/* Loads what must be right. */
static inline void load_good(struct fixture *f, const char *text)
{
    if (load(f, text))
        fail_msg("%s", sf_buf_str(&f->shown).p);
}

/* Loads what must be wrong at line:column, with these words in message and help. */
static inline void load_bad(struct fixture *f, const char *text, unsigned line, unsigned column, const char *words,
                            const char *help)
{
    if (load(f, text) != SF_E_CONFIG)
        fail_msg("accepted: %s", text);
    const struct sf_diag *diag = &f->diags->list[0];
    if (!strstr(diag->message.p, words) || (help && (!diag->help.p || !strstr(diag->help.p, help))))
        fail_msg("expected '%s' and '%s', got\n%s", words, help ? help : "", f->shown.p);
    if (diag->where.line != line || diag->where.column != column)
        fail_msg("expected %u:%u, got\n%s", line, column, f->shown.p);
}

static inline struct sf_resource *resource(struct fixture *f, const char *name)
{
    struct sf_resource *r = sf_map_find(f->stack->by_name, sf_str_of(name));
    if (!r)
        fail_msg("no resource %s", name);
    return r;
}

/* Everything of another resource is unknown, save that a bucket's id is known. */
static inline const struct sf_value *test_attribute(void *ctx, const struct sf_resource *r, struct sf_str attr)
{
    struct fixture *f = ctx;
    if (sf_str_is(attr, "id") && r->schema == &bucket_schema)
        return sf_value_str(f->arena, sf_str_fmt(f->arena, "id-of-%.*s", SF_ARG(r->name)));
    return sf_value_unknown(f->arena, sf_str_fmt(f->arena, "%.*s.%.*s", SF_ARG(r->name), SF_ARG(attr)));
}

static inline enum sf_code eval(struct fixture *f, const char *name, struct sf_value **attrs, struct sf_value **refs)
{
    struct sf_scope scope = {
        .stack = f->stack, .account = SF_STR("000000000000"), .region = SF_STR("local"), .attribute = test_attribute, .ctx = f};
    enum sf_code rc = sf_resource_eval(f->arena, &scope, resource(f, name), f->diags, attrs, refs);
    sf_buf_clear(&f->shown);
    sf_diags_render(f->diags, &f->shown, false);
    return rc;
}

/* The attributes of a resource that must evaluate, as canonical text. */
static inline const char *attrs_of(struct fixture *f, const char *name)
{
    struct sf_value *attrs, *refs;
    if (eval(f, name, &attrs, &refs))
        fail_msg("%s", f->shown.p);
    return sf_json_text(f->arena, attrs, SF_JSON_STATE).p;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
