/* See stack.h. The top level of a stack file and its order of work: files, stack and provider, variables, settings, resources,
 * outputs, references. A step goes on after an error as long as what follows can still be judged. */
#include "engine/lang/load.h"

#include "engine/lang/yaml.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_STACK_NAME = 40, MAX_NAME = 64, MAX_INCLUDES = 64 };

static const char *const stack_keys[] = {"stack",   "provider", "aws",       "local", "tags",   "variables",
                                         "include", "lookup",   "resources", "moved", "outputs"};
static const char *const include_keys[] = {"variables", "resources", "moved", "outputs"};
static const char *const aws_keys[] = {"region", "profile", "account"};
static const char *const local_keys[] = {"root", "run_as"};
static const char *const reserved_names[] = {"var", "stack", "provider", "each", "file"};

enum sf_code sf_load_wrong(struct sf_loader *l, const struct sf_value *v, const char *what, const char *expected)
{
    return sf_diag_error(l->diags, "SF0203", v->mark, "'%s' must be %s", what, expected);
}

static void help_nearest(struct sf_loader *l, struct sf_str word, const char *const *names, size_t n)
{
    struct sf_str *list = SF_NEW_ARRAY(l->arena, n, struct sf_str);
    for (size_t i = 0; i < n; i++)
        list[i] = sf_str_of(names[i]);
    sf_diag_help_nearest(l->diags, word, list, n);
}

enum sf_code sf_load_check_keys(struct sf_loader *l, const struct sf_value *map, const char *of, const char *const *names, size_t n)
{
    enum sf_code rc = SF_OK;
    for (size_t i = 0; i < map->map.n; i++) {
        const struct sf_pair *pair = &map->map.pairs[i];
        size_t k = 0;
        while (k < n && !sf_str_is(pair->key, names[k]))
            k++;
        if (k < n)
            continue;
        rc = sf_diag_error(l->diags, "SF0202", pair->key_mark, "unknown key '%s' of %s", pair->key.p, of);
        help_nearest(l, pair->key, names, n);
    }
    return rc;
}

enum sf_code sf_load_check_name(struct sf_loader *l, const struct sf_pair *pair, const char *what)
{
    struct sf_str s = pair->key;
    bool ok = s.n >= 1 && s.n <= MAX_NAME && s.p[0] >= 'a' && s.p[0] <= 'z';
    for (size_t i = 0; i < s.n && ok; i++)
        ok = (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_';
    if (!ok) {
        sf_diag_error(l->diags, "SF0204", pair->key_mark, "'%.*s' cannot be the name of %s", SF_ARG(sf_str_slice(s, 0, MAX_NAME)),
                      what);
        sf_diag_help(l->diags, "a name is 1 to %d of a-z, 0-9 and '_', a letter first", MAX_NAME);
        return SF_E_CONFIG;
    }
    for (size_t i = 0; i < SF_COUNT(reserved_names); i++)
        if (sf_str_is(s, reserved_names[i]))
            return sf_diag_error(l->diags, "SF0204", pair->key_mark, "'%s' cannot be the name of %s: ${%s...} means something else",
                                 s.p, what, s.p);
    return SF_OK;
}

enum sf_code sf_load_eval(struct sf_loader *l, const struct sf_resource *self, const struct sf_value *raw,
                          const struct sf_value **out)
{
    struct sf_scope scope = {.stack = l->stack, .self = self};
    return sf_expr_eval(l->arena, &scope, raw, false, l->diags, out);
}

static struct sf_mark file_mark(const struct sf_loader *l)
{
    return (struct sf_mark){.file = l->stack->file};
}

static void read_name(struct sf_loader *l, const struct sf_value *root)
{
    const struct sf_value *v = sf_map_getz(root, "stack");
    if (!v) {
        sf_diag_error(l->diags, "SF0205", file_mark(l), "the file has no 'stack:'");
        sf_diag_help(l->diags, "name the stack in the first line, as in 'stack: sf-finance'");
        return;
    }
    struct sf_str s = v->type == SF_V_STRING ? v->s : SF_STR_NONE;
    bool ok = s.n >= 1 && s.n <= MAX_STACK_NAME && s.p[0] >= 'a' && s.p[0] <= 'z' && s.p[s.n - 1] != '-';
    for (size_t i = 0; i < s.n && ok; i++)
        ok = (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] == '-' && s.p[i - 1] != '-');
    l->stack->name = s;
    if (ok)
        return;
    sf_diag_error(l->diags, "SF0205", v->mark, "this cannot be the name of a stack");
    sf_diag_help(l->diags, "1 to %d of a-z, 0-9 and single '-', a letter first: the names of buckets and clusters are made from it",
                 MAX_STACK_NAME);
}

static void read_provider(struct sf_loader *l, const struct sf_value *root, struct sf_str override)
{
    const struct sf_value *v = sf_map_getz(root, "provider");
    struct sf_str written = v && v->type == SF_V_STRING ? v->s : v ? SF_STR_NONE : SF_STR("local");
    struct sf_str provider = override.n ? override : written;
    static const char *const names[] = {"local", "aws"};
    l->stack->provider = provider;
    if (sf_str_is(provider, "local") || sf_str_is(provider, "aws"))
        return;
    if (override.n || !v)
        sf_diag_error(l->diags, "SF0206", (struct sf_mark){.file = NULL}, "--provider: there is no provider '%.*s'",
                      SF_ARG(provider));
    else
        sf_diag_error(l->diags, "SF0206", v->mark, "there is no provider '%.*s'", SF_ARG(provider));
    help_nearest(l, provider, names, SF_COUNT(names));
    l->stack->provider = SF_STR("local"); /* so that the rest can be judged */
}

/* A map of texts, evaluated. NULL `v` gives an empty map. */
static const struct sf_value *read_texts(struct sf_loader *l, const struct sf_value *v, const char *what)
{
    struct sf_value *map = sf_value_map(l->arena);
    if (!v || (v->type == SF_V_STRING && v->is_plain && !v->s.n))
        return map;
    if (v->type != SF_V_MAP) {
        sf_load_wrong(l, v, what, "a map");
        return map;
    }
    static const struct sf_attr text = {.name = "text", .type = SF_T_STRING};
    for (size_t i = 0; i < v->map.n; i++) {
        const struct sf_pair *pair = &v->map.pairs[i];
        const struct sf_value *value, *typed;
        if (sf_load_eval(l, NULL, pair->value, &value) ||
            sf_schema_type(l->arena, &text, sf_str_fmt(l->arena, "%s.%s", what, pair->key.p).p, value, l->diags, &typed))
            continue;
        if (value->is_secret || value->type == SF_V_UNKNOWN) {
            sf_diag_error(l->diags, "SF0226", pair->value->mark, "%s.%s: cannot be a secret", what, pair->key.p);
            continue;
        }
        if (typed->type == SF_V_NULL)
            continue;
        sf_map_add(l->arena, map, pair->key, typed);
        map->map.pairs[map->map.n - 1].key_mark = pair->key_mark;
    }
    return map;
}

static void read_settings(struct sf_loader *l, const struct sf_value *root)
{
    const struct sf_value *aws = sf_map_getz(root, "aws"), *local = sf_map_getz(root, "local");
    if (aws && aws->type == SF_V_MAP)
        sf_load_check_keys(l, aws, "'aws'", aws_keys, SF_COUNT(aws_keys));
    if (local && local->type == SF_V_MAP)
        sf_load_check_keys(l, local, "'local'", local_keys, SF_COUNT(local_keys));
    const struct sf_value *aws_texts = read_texts(l, aws, "aws"), *local_texts = read_texts(l, local, "local");
    l->stack->settings = sf_str_is(l->stack->provider, "aws") ? aws_texts : local_texts;
    l->stack->tags = read_texts(l, sf_map_getz(root, "tags"), "tags");
    for (size_t i = 0; i < l->stack->tags->map.n; i++) {
        const struct sf_pair *pair = &l->stack->tags->map.pairs[i];
        if (sf_str_starts(pair->key, SF_STR("sfstack:")) || sf_str_starts(pair->key, SF_STR("aws:")))
            sf_diag_error(l->diags, "SF0207", pair->key_mark, "the tag '%s' cannot be set: its prefix is reserved", pair->key.p);
    }
}

static void read_lookup(struct sf_loader *l, const struct sf_value *v)
{
    if (!v || (v->type == SF_V_MAP && !v->map.n) || (v->type == SF_V_STRING && v->is_plain && !v->s.n))
        return;
    sf_diag_error(l->diags, "SF0208", v->mark, "'lookup' is not supported yet");
    sf_diag_help(l->diags, "write the id or ARN of the existing object where it is needed");
}

static void read_moved(struct sf_loader *l, const struct sf_value *v)
{
    static const char *const keys[] = {"from", "to"};
    if (!v)
        return;
    if (v->type != SF_V_LIST) {
        sf_load_wrong(l, v, "moved", "a list");
        sf_diag_help(l->diags, "as in 'moved: [{from: old_name, to: new_name}]'");
        return;
    }
    struct sf_moved *moved = SF_NEW_ARRAY(l->arena, l->stack->n_moved + v->list.n, struct sf_moved);
    if (l->stack->n_moved)
        memcpy(moved, l->stack->moved, l->stack->n_moved * sizeof(*moved));
    l->stack->moved = moved;
    for (size_t i = 0; i < v->list.n; i++) {
        const struct sf_value *item = v->list.items[i];
        struct sf_str from, to;
        if (item->type != SF_V_MAP) {
            sf_load_wrong(l, item, "moved", "a list of {from: old_name, to: new_name}");
            continue;
        }
        if (sf_load_check_keys(l, item, "'moved'", keys, SF_COUNT(keys)))
            continue;
        if (!sf_parse_resource_name(l->arena, sf_map_str(item, "from"), &from) ||
            !sf_parse_resource_name(l->arena, sf_map_str(item, "to"), &to) || sf_str_eq(from, to)) {
            sf_diag_error(l->diags, "SF0209", item->mark, "'moved' needs 'from' and 'to': two names of resources");
            continue;
        }
        moved[l->stack->n_moved++] = (struct sf_moved){from, to};
    }
}

static void check_moved(struct sf_loader *l, const struct sf_value **roots, size_t n_roots)
{
    const struct sf_value *v = NULL;
    for (size_t i = 0; i < n_roots && !v; i++)
        v = sf_map_getz(roots[i], "moved");
    for (size_t i = 0; i < l->stack->n_moved; i++) {
        const struct sf_moved *moved = &l->stack->moved[i];
        if (sf_map_find(l->stack->by_name, moved->from))
            sf_diag_error(l->diags, "SF0209", v->mark, "moved: '%.*s' is still in the stack", SF_ARG(moved->from));
        if (!sf_map_find(l->stack->by_name, moved->to)) {
            sf_diag_error(l->diags, "SF0209", v->mark, "moved: there is no resource '%.*s'", SF_ARG(moved->to));
            sf_diag_help_nearest(l->diags, moved->to, l->names, l->n_names);
        }
    }
}

static void read_outputs(struct sf_loader *l, const struct sf_value *v)
{
    if (!v || (v->type == SF_V_STRING && v->is_plain && !v->s.n))
        return;
    if (v->type != SF_V_MAP) {
        sf_load_wrong(l, v, "outputs", "a map");
        return;
    }
    struct sf_stack *stack = l->stack;
    struct sf_output *outputs = SF_NEW_ARRAY(l->arena, stack->n_outputs + v->map.n, struct sf_output);
    if (stack->n_outputs)
        memcpy(outputs, stack->outputs, stack->n_outputs * sizeof(*outputs));
    stack->outputs = outputs;
    size_t n_before = stack->n_outputs;
    for (size_t i = 0; i < v->map.n; i++) {
        const struct sf_pair *pair = &v->map.pairs[i];
        if (sf_load_check_name(l, pair, "an output"))
            continue;
        for (size_t k = 0; k < n_before; k++)
            if (sf_str_eq(outputs[k].name, pair->key))
                sf_diag_error(l->diags, "SF0103", pair->key_mark, "output '%s' is already at %s:%u", pair->key.p,
                              outputs[k].mark.file, outputs[k].mark.line);
        outputs[stack->n_outputs++] = (struct sf_output){pair->key, pair->key_mark, pair->value};
    }
}

/* Reads the included files; *n roots, the first of which is the stack file itself. */
static const struct sf_value **read_includes(struct sf_loader *l, const struct sf_value *root, size_t *n)
{
    const struct sf_value *v = sf_map_getz(root, "include");
    const struct sf_value *const one[] = {v};
    const struct sf_value *const *items = v && v->type == SF_V_LIST ? v->list.items : one;
    size_t count = !v ? 0 : v->type == SF_V_LIST ? v->list.n : 1;
    if (count > MAX_INCLUDES) {
        sf_diag_error(l->diags, "SF0210", v->mark, "more than %d files are included", MAX_INCLUDES);
        count = 0;
    }
    const struct sf_value **roots = SF_NEW_ARRAY(l->arena, count + 1, const struct sf_value *);
    roots[0] = root;
    *n = 1;
    struct sf_str file = sf_str_of(l->stack->file);
    const char *slash = strrchr(l->stack->file, '/');
    struct sf_str folder = slash ? sf_str_slice(file, 0, (size_t)(slash - file.p) + 1) : SF_STR_NONE;
    for (size_t i = 0; i < count; i++) {
        if (items[i]->type != SF_V_STRING || !items[i]->s.n) {
            sf_load_wrong(l, items[i], "include", "a path or a list of paths");
            continue;
        }
        bool is_absolute = items[i]->s.p[0] == '/';
        struct sf_str path = is_absolute ? items[i]->s : sf_str_fmt(l->arena, "%.*s%.*s", SF_ARG(folder), SF_ARG(items[i]->s));
        const struct sf_value *included;
        if (sf_yaml_load(l->arena, path.p, l->diags, &included))
            continue;
        if (included->type != SF_V_MAP) {
            sf_load_wrong(l, included, path.p, "a map");
            continue;
        }
        if (sf_map_getz(included, "include")) {
            sf_diag_error(l->diags, "SF0210", sf_map_pair(included, SF_STR("include"))->key_mark,
                          "an included file includes nothing");
            sf_diag_help(l->diags, "name the file in the stack file itself");
            continue;
        }
        if (!sf_load_check_keys(l, included, "an included file", include_keys, SF_COUNT(include_keys)))
            roots[(*n)++] = included;
    }
    return roots;
}

static const char *folder_of(struct sf_loader *l, const char *path)
{
    char real[PATH_MAX];
    if (!realpath(path, real))
        snprintf(real, sizeof(real), "./x");
    return sf_str_dup(l->arena, sf_str_of(dirname(real))).p;
}

enum sf_code sf_stack_load(struct sf_arena *arena, const char *path, struct sf_str provider, const struct sf_var_setting *settings,
                           size_t n_settings, const char *(*environ_get)(const char *), struct sf_diags *diags,
                           struct sf_stack **out)
{
    struct sf_stack *stack = SF_NEW(arena, struct sf_stack);
    struct sf_loader l = {.arena = arena, .diags = diags, .stack = stack, .environ_get = environ_get, .blocks = sf_map_new(arena)};
    size_t errors_before = diags->errors, n_roots;
    const struct sf_value *root;
    *out = NULL;
    stack->arena = arena;
    stack->file = sf_str_dup(arena, sf_str_of(path)).p;
    stack->by_name = sf_map_new(arena);
    stack->variable_by_name = sf_map_new(arena);
    l.declarations = sf_map_new(arena);
    enum sf_code rc = sf_yaml_load(arena, path, diags, &root);
    if (rc)
        return rc;
    stack->dir = folder_of(&l, path);
    if (root->type != SF_V_MAP) {
        sf_diag_error(diags, "SF0201", root->mark, "a stack file is a map that starts with 'stack: NAME'");
        return SF_E_CONFIG;
    }
    if (!sf_str_is_utf8(sf_str_of(stack->dir))) {
        sf_diag_error(diags, "SF0229", root->mark,
                      "the stack file lies in a directory whose path is not UTF-8, so no path below it can be recorded");
        sf_diag_help(diags, "rename the directory, or move the stack file to another one");
        return SF_E_CONFIG;
    }
    sf_load_check_keys(&l, root, "a stack file", stack_keys, SF_COUNT(stack_keys));
    read_name(&l, root);
    read_provider(&l, root, provider);
    const struct sf_value **roots = read_includes(&l, root, &n_roots);
    stack->sources = diags->sources; /* before -var-file adds to it: such a file may hold secrets */
    for (size_t i = 0; i < n_roots; i++)
        sf_load_declare_variables(&l, sf_map_getz(roots[i], "variables"));
    sf_load_set_variables(&l, settings, n_settings);
    read_settings(&l, root);
    read_lookup(&l, sf_map_getz(root, "lookup"));
    for (size_t i = 0; i < n_roots; i++) {
        sf_load_resources(&l, sf_map_getz(roots[i], "resources"));
        read_outputs(&l, sf_map_getz(roots[i], "outputs"));
        read_moved(&l, sf_map_getz(roots[i], "moved"));
    }
    sf_load_references(&l);
    check_moved(&l, roots, n_roots);
    if (diags->errors > errors_before)
        return SF_E_CONFIG;
    *out = stack;
    return SF_OK;
}
