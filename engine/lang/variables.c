/* Variables: their declarations, and where their values come from. Later ones win: default, -var-file, SF_VAR_*, -var. A secret
 * comes from SF_VAR_*, from a file that only its owner can read, from a command, or is generated; never from a flag, and never is
 * its text part of a message. */
#include "engine/lang/load.h"

#include "engine/lang/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/core/clock.h"

enum { MAX_SECRET_BYTES = 64 * 1024, MIN_GENERATED = 8, MAX_GENERATED = 128, COMMAND_TIMEOUT_MS = 60 * 1000, MAX_ARGS = 64 };

extern char **environ;

static const char *const declaration_keys[] = {"type",   "default",  "enum", "pattern", "min",        "max",
                                               "secret", "generate", "file", "command", "description"};
static const char *const type_names[] = {"string", "int", "bool", "list", "map"};
static const enum sf_attr_type types[] = {SF_T_STRING, SF_T_INT, SF_T_BOOL, SF_T_LIST, SF_T_MAP};

/* A candidate value of a variable while the sources are gone through. */
struct candidate {
    const struct sf_value *raw; /* NULL: none yet */
    struct sf_str source;
};

/* --- declarations --- */

static bool is_true(struct sf_loader *l, const struct sf_value *map, const char *key)
{
    const struct sf_value *v = sf_map_getz(map, key);
    if (!v)
        return false;
    if (v->type == SF_V_STRING && (sf_str_is(v->s, "true") || sf_str_is(v->s, "false")))
        return v->s.p[0] == 't';
    sf_load_wrong(l, v, key, "true or false");
    return false;
}

static bool read_int(struct sf_loader *l, const struct sf_value *map, const char *key, int64_t *out)
{
    const struct sf_value *v = sf_map_getz(map, key);
    if (!v)
        return false;
    if (v->type == SF_V_STRING && sf_str_int64(v->s, out))
        return true;
    sf_load_wrong(l, v, key, "a whole number");
    return false;
}

static void read_type(struct sf_loader *l, const struct sf_value *declaration, struct sf_variable *variable)
{
    const struct sf_value *v = sf_map_getz(declaration, "type");
    variable->type = SF_T_STRING;
    if (!v)
        return;
    for (size_t i = 0; i < SF_COUNT(type_names); i++)
        if (v->type == SF_V_STRING && sf_str_is(v->s, type_names[i])) {
            variable->type = types[i];
            return;
        }
    sf_diag_error(l->diags, "SF0302", v->mark, "variable '%s': there is no such type", variable->name.p);
    sf_diag_help(l->diags, "one of string, int, bool, list, map");
}

static void read_generate(struct sf_loader *l, const struct sf_value *v, struct sf_variable *variable)
{
    static const char *const keys[] = {"length"};
    int64_t length = 32;
    if (v->type != SF_V_MAP) {
        sf_load_wrong(l, v, "generate", "a map, as in {length: 32}");
        return;
    }
    if (sf_load_check_keys(l, v, "'generate'", keys, SF_COUNT(keys)))
        return;
    read_int(l, v, "length", &length);
    if (length < MIN_GENERATED || length > MAX_GENERATED) {
        sf_diag_error(l->diags, "SF0303", v->mark, "variable '%s': a generated secret has %d to %d characters", variable->name.p,
                      MIN_GENERATED, MAX_GENERATED);
        return;
    }
    variable->generate_length = (int)length;
}

static void read_declaration(struct sf_loader *l, const struct sf_value *d, struct sf_variable *variable)
{
    const char *name = variable->name.p;
    sf_load_check_keys(l, d, "a variable", declaration_keys, SF_COUNT(declaration_keys));
    read_type(l, d, variable);
    variable->is_secret = is_true(l, d, "secret");
    variable->default_value = sf_map_getz(d, "default");
    variable->enums = sf_map_getz(d, "enum");
    variable->pattern = sf_map_str(d, "pattern");
    variable->has_min = read_int(l, d, "min", &variable->min);
    variable->has_max = read_int(l, d, "max", &variable->max);
    if (variable->enums && (variable->enums->type != SF_V_LIST || !variable->enums->list.n)) {
        sf_load_wrong(l, variable->enums, "enum", "a list");
        variable->enums = NULL;
    }
    bool has_source = sf_map_getz(d, "generate") || sf_map_getz(d, "file") || sf_map_getz(d, "command");
    if (has_source && !variable->is_secret)
        sf_diag_error(l->diags, "SF0303", variable->mark, "variable '%s': 'generate', 'file' and 'command' need 'secret: true'",
                      name);
    if (variable->is_secret && variable->type != SF_T_STRING)
        sf_diag_error(l->diags, "SF0303", variable->mark, "variable '%s': a secret must be a string", name);
    if (variable->is_secret && variable->default_value) {
        sf_diag_error(l->diags, "SF0305", variable->default_value->mark, "variable '%s': a secret has no default", name);
        sf_diag_hide_source(l->diags);
        sf_diag_help(l->diags, "set SF_VAR_%s, or let it be generated: 'generate: {length: 32}'", name);
        variable->default_value = NULL;
    }
    if (sf_map_getz(d, "generate"))
        read_generate(l, sf_map_getz(d, "generate"), variable);
}

void sf_load_declare_variables(struct sf_loader *l, const struct sf_value *block)
{
    if (!block || (block->type == SF_V_STRING && block->is_plain && !block->s.n))
        return;
    if (block->type != SF_V_MAP) {
        sf_load_wrong(l, block, "variables", "a map");
        return;
    }
    struct sf_stack *stack = l->stack;
    struct sf_variable *all = SF_NEW_ARRAY(l->arena, stack->n_variables + block->map.n, struct sf_variable);
    for (size_t i = 0; i < stack->n_variables; i++) {
        all[i] = stack->variables[i];
        sf_map_put(stack->variable_by_name, all[i].name, &all[i]);
    }
    stack->variables = all;
    for (size_t i = 0; i < block->map.n; i++) {
        const struct sf_pair *pair = &block->map.pairs[i];
        const struct sf_variable *before = sf_map_find(stack->variable_by_name, pair->key);
        if (before) {
            sf_diag_error(l->diags, "SF0103", pair->key_mark, "variable '%s' is already at %s:%u", pair->key.p, before->mark.file,
                          before->mark.line);
            continue;
        }
        if (sf_load_check_name(l, pair, "a variable"))
            continue;
        struct sf_variable *variable = &all[stack->n_variables++];
        *variable = (struct sf_variable){.name = pair->key, .mark = pair->key_mark};
        sf_map_put(stack->variable_by_name, variable->name, variable);
        if (pair->value->type == SF_V_MAP) {
            read_declaration(l, pair->value, variable);
            sf_map_put(l->declarations, variable->name, (void *)pair->value);
            continue;
        }
        sf_diag_error(l->diags, "SF0203", pair->value->mark, "variable '%s' must be declared by a map", pair->key.p);
        sf_diag_help(l->diags, "as in '%s: {type: string, default: ...}'", pair->key.p);
    }
}

/* --- values --- */

static struct sf_variable *find_variable(struct sf_loader *l, struct sf_str name, struct sf_mark where)
{
    struct sf_variable *variable = sf_map_find(l->stack->variable_by_name, name);
    if (variable)
        return variable;
    struct sf_str *names = SF_NEW_ARRAY(l->arena, l->stack->n_variables, struct sf_str);
    for (size_t i = 0; i < l->stack->n_variables; i++)
        names[i] = l->stack->variables[i].name;
    sf_diag_error(l->diags, "SF0304", where, "there is no variable '%.*s'", SF_ARG(sf_str_slice(name, 0, 64)));
    sf_diag_help_nearest(l->diags, name, names, l->stack->n_variables);
    return NULL;
}

/* Text given outside a file: as it is for a string, YAML flow text for the others. */
static const struct sf_value *value_of_text(struct sf_loader *l, const struct sf_variable *variable, struct sf_str text,
                                            const char *source)
{
    const struct sf_value *v;
    if (variable->type == SF_T_LIST || variable->type == SF_T_MAP)
        return sf_yaml_parse(l->arena, text, source, l->diags, &v) ? NULL : v;
    struct sf_value *s = sf_value_str(l->arena, text);
    s->mark = (struct sf_mark){.file = source};
    return s;
}

static struct candidate *candidate_of(struct sf_loader *l, struct candidate *candidates, const struct sf_variable *variable)
{
    return &candidates[variable - l->stack->variables];
}

static bool is_private(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && (st.st_mode & 077) == 0;
}

static void take_file(struct sf_loader *l, struct candidate *candidates, struct sf_str path)
{
    const struct sf_value *root;
    const char *file = sf_str_dup(l->arena, path).p;
    if (sf_yaml_load(l->arena, file, l->diags, &root))
        return;
    if (root->type != SF_V_MAP) {
        sf_diag_error(l->diags, "SF0203", root->mark, "a file of variables is a map of names to values");
        return;
    }
    for (size_t i = 0; i < root->map.n; i++) {
        const struct sf_pair *pair = &root->map.pairs[i];
        struct sf_variable *variable = find_variable(l, pair->key, pair->key_mark);
        if (!variable) {
            sf_diag_hide_source(l->diags);
            continue;
        }
        if (variable->is_secret && !is_private(file)) {
            sf_diag_error(l->diags, "SF0306", pair->key_mark, "'%s' holds the secret '%s' and others can read it", file,
                          pair->key.p);
            sf_diag_hide_source(l->diags);
            sf_diag_help(l->diags, "chmod 600 '%s', or set SF_VAR_%s", file, pair->key.p);
            continue;
        }
        *candidate_of(l, candidates, variable) = (struct candidate){pair->value, sf_str_of(file)};
    }
}

static void take_flag(struct sf_loader *l, struct candidate *candidates, struct sf_str text)
{
    size_t equals = sf_str_find(text, SF_STR("="));
    struct sf_str name = sf_str_slice(text, 0, equals);
    struct sf_mark where = {.file = NULL};
    if (equals == SIZE_MAX) {
        sf_diag_error(l->diags, "SF0304", where, "-var needs NAME=VALUE");
        return;
    }
    struct sf_variable *variable = find_variable(l, name, where);
    if (!variable)
        return;
    if (variable->is_secret) {
        sf_diag_error(l->diags, "SF0305", where, "-var: '%s' is a secret and cannot come from the command line", variable->name.p);
        sf_diag_help(l->diags, "others can read a command line; set SF_VAR_%s", variable->name.p);
        return;
    }
    const char *source = sf_str_fmt(l->arena, "-var %s", variable->name.p).p;
    const struct sf_value *v = value_of_text(l, variable, sf_str_dup(l->arena, sf_str_slice(text, equals + 1, text.n)), source);
    if (v)
        *candidate_of(l, candidates, variable) = (struct candidate){v, SF_STR("-var")};
}

static void take_environment(struct sf_loader *l, struct candidate *candidates)
{
    for (size_t i = 0; i < l->stack->n_variables && l->environ_get; i++) {
        struct sf_variable *variable = &l->stack->variables[i];
        const char *name = sf_str_fmt(l->arena, "SF_VAR_%s", variable->name.p).p;
        const char *text = l->environ_get(name);
        if (!text)
            continue;
        if (!sf_str_is_utf8(sf_str_of(text))) {
            sf_diag_error(l->diags, "SF0307", (struct sf_mark){.file = name}, "the value is not UTF-8");
            continue;
        }
        const struct sf_value *v = value_of_text(l, variable, sf_str_dup(l->arena, sf_str_of(text)), name);
        if (v)
            candidates[i] = (struct candidate){v, sf_str_of(name)};
    }
}

/* --- secrets from a file or a command --- */

static struct sf_str without_line_end(struct sf_str s)
{
    if (s.n && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

/* Empty text when it must be left unknown. */
static struct sf_str read_secret_file(struct sf_loader *l, const struct sf_value *v, const char *name)
{
    struct sf_str text = SF_STR_NONE;
    if (v->type != SF_V_STRING || !v->s.n) {
        sf_load_wrong(l, v, "file", "a path");
        return text;
    }
    const char *path = v->s.p[0] == '/' ? v->s.p : sf_str_fmt(l->arena, "%s/%s", l->stack->dir, v->s.p).p;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return text; /* absent means unchanged, if nothing needs it: the engine decides */
    if (fd < 0 || fstat(fd, &st) != 0) {
        sf_diag_error(l->diags, "SF0306", v->mark, "variable '%s': cannot read '%s': %s", name, path, strerror(errno));
    } else if (!S_ISREG(st.st_mode) || (st.st_mode & 077)) {
        sf_diag_error(l->diags, "SF0306", v->mark, "variable '%s': '%s' must be a file that only its owner can read", name, path);
        sf_diag_help(l->diags, "chmod 600 '%s'", path);
    } else if (st.st_uid != geteuid() && geteuid() != 0) {
        sf_diag_error(l->diags, "SF0306", v->mark, "variable '%s': '%s' belongs to another user", name, path);
    } else {
        char bytes[MAX_SECRET_BYTES + 1];
        ssize_t n = read(fd, bytes, sizeof(bytes));
        struct sf_str got = without_line_end((struct sf_str){bytes, n > 0 ? (size_t)n : 0});
        if (n > MAX_SECRET_BYTES || !got.n || !sf_str_is_utf8(got))
            sf_diag_error(l->diags, "SF0306", v->mark, "variable '%s': '%s' holds no text of 1 to %d bytes", name, path,
                          MAX_SECRET_BYTES);
        else
            text = sf_str_dup(l->arena, got);
        explicit_bzero(bytes, sizeof(bytes));
    }
    if (fd >= 0)
        close(fd);
    return text;
}

/* Reads all of the pipe within the time allowed; false when it is too much or takes too long. */
static bool drain(int fd, struct sf_buf *buf)
{
    int64_t deadline = sf_clock_ms() + COMMAND_TIMEOUT_MS;
    for (;;) {
        int64_t left = deadline - sf_clock_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char chunk[4096];
        int ready = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return false;
        ssize_t got = read(fd, chunk, sizeof(chunk));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0 && !buf->overflow;
        sf_buf_add(buf, (struct sf_str){chunk, (size_t)got});
        explicit_bzero(chunk, sizeof(chunk));
        if (buf->overflow)
            return false;
    }
}

static bool spawn(struct sf_loader *l, const struct sf_value *v, int *out, pid_t *pid)
{
    char *argv[MAX_ARGS + 1] = {NULL};
    size_t n = 0;
    if (v->type == SF_V_STRING) {
        argv[n++] = sf_arena_alloc(l->arena, sizeof("/bin/sh"));
        memcpy(argv[0], "/bin/sh", sizeof("/bin/sh"));
        argv[n++] = sf_arena_alloc(l->arena, sizeof("-c"));
        memcpy(argv[1], "-c", sizeof("-c"));
    }
    const struct sf_value *const one[] = {v};
    const struct sf_value *const *items = v->type == SF_V_LIST ? v->list.items : one;
    size_t count = v->type == SF_V_LIST ? v->list.n : 1;
    if (count > MAX_ARGS - n)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (items[i]->type != SF_V_STRING)
            return false;
        argv[n] = sf_arena_alloc(l->arena, items[i]->s.n + 1);
        memcpy(argv[n++], items[i]->s.p, items[i]->s.n);
    }
    int pipes[2];
    if (!argv[0] || pipe2(pipes, O_CLOEXEC) != 0)
        return false;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
    int rc = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(pipes[1]);
    *out = pipes[0];
    if (rc)
        close(pipes[0]);
    return rc == 0;
}

static struct sf_str run_secret_command(struct sf_loader *l, const struct sf_value *v, const char *name)
{
    struct sf_buf buf = SF_BUF(MAX_SECRET_BYTES);
    struct sf_str text = SF_STR_NONE;
    int fd = -1, status = 0;
    pid_t pid = 0;
    if (!spawn(l, v, &fd, &pid)) {
        sf_diag_error(l->diags, "SF0308", v->mark, "variable '%s': the command cannot be started", name);
        sf_diag_help(l->diags, "write a shell command, or a list of program and arguments");
        return text;
    }
    bool ok = drain(fd, &buf);
    close(fd);
    if (!ok)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    struct sf_str got = without_line_end(sf_buf_str(&buf));
    if (!ok)
        sf_diag_error(l->diags, "SF0308", v->mark, "variable '%s': the command took over %d s or wrote over %d bytes", name,
                      COMMAND_TIMEOUT_MS / 1000, MAX_SECRET_BYTES);
    else if (!WIFEXITED(status) || WEXITSTATUS(status))
        sf_diag_error(l->diags, "SF0308", v->mark, "variable '%s': the command failed (%s %d)", name,
                      WIFEXITED(status) ? "exit code" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    else if (!got.n || !sf_str_is_utf8(got) || memchr(got.p, 0, got.n) != NULL)
        sf_diag_error(l->diags, "SF0308", v->mark, "variable '%s': the command wrote no text", name);
    else
        text = sf_str_dup(l->arena, got);
    if (buf.p)
        explicit_bzero(buf.p, buf.n);
    sf_buf_free(&buf);
    return text;
}

/* --- checks --- */

static void bad_value(struct sf_loader *l, const struct sf_variable *variable, const struct sf_value *v, const char *why)
{
    if (variable->is_secret || v->type != SF_V_STRING)
        sf_diag_error(l->diags, "SF0309", v->mark, "variable '%s': the value %s", variable->name.p, why);
    else
        sf_diag_error(l->diags, "SF0309", v->mark, "variable '%s': '%.*s' %s", variable->name.p, SF_ARG(sf_str_slice(v->s, 0, 64)),
                      why);
    if (variable->is_secret)
        sf_diag_hide_source(l->diags);
}

static void check_pattern(struct sf_loader *l, const struct sf_variable *variable, const struct sf_value *v)
{
    regex_t regex;
    const char *text = sf_str_fmt(l->arena, "^(%.*s)$", SF_ARG(variable->pattern)).p;
    int rc = regcomp(&regex, text, REG_EXTENDED | REG_NOSUB);
    if (rc) {
        char why[128];
        regerror(rc, &regex, why, sizeof(why));
        sf_diag_error(l->diags, "SF0303", variable->mark, "variable '%s': the pattern is no regular expression: %s",
                      variable->name.p, why);
        return;
    }
    if (regexec(&regex, v->s.p, 0, NULL, 0) != 0) {
        bad_value(l, variable, v, "does not fit its pattern");
        sf_diag_help(l->diags, "the pattern is %.*s", SF_ARG(variable->pattern));
    }
    regfree(&regex);
}

static void check_enum(struct sf_loader *l, const struct sf_variable *variable, const struct sf_attr *attr,
                       const struct sf_value *v)
{
    size_t n = variable->enums->list.n;
    struct sf_str *names = SF_NEW_ARRAY(l->arena, n, struct sf_str);
    for (size_t i = 0; i < n; i++) {
        const struct sf_value *allowed;
        if (sf_schema_type(l->arena, attr, "enum", variable->enums->list.items[i], l->diags, &allowed) ||
            sf_value_equal(allowed, v))
            return;
        names[i] = variable->enums->list.items[i]->type == SF_V_STRING ? variable->enums->list.items[i]->s : SF_STR_NONE;
    }
    bad_value(l, variable, v, "is not one of its values");
    sf_diag_help_nearest(l->diags, v->type == SF_V_STRING ? v->s : SF_STR_NONE, names, n);
}

static enum sf_code fit_secret(struct sf_loader *l, const struct sf_variable *variable, const struct sf_value *raw,
                               const struct sf_value **out)
{
    int64_t n = raw->type == SF_V_STRING ? (int64_t)raw->s.n : 0;
    if (raw->type != SF_V_STRING)
        bad_value(l, variable, raw, "must be a string");
    else if ((variable->has_min && n < variable->min) || (variable->has_max && n > variable->max))
        bad_value(l, variable, raw, "is too short or too long");
    else {
        struct sf_value *secret = sf_value_secret(l->arena, raw->s);
        secret->mark = raw->mark;
        *out = secret;
        return SF_OK;
    }
    return SF_E_CONFIG;
}

/* Types and checks. Items of a list or map stay raw: they are typed where they are used. */
static enum sf_code fit(struct sf_loader *l, const struct sf_variable *variable, const struct sf_value *raw,
                        const struct sf_value **out)
{
    struct sf_attr attr = {.name = "value",
                           .type = variable->type,
                           .min = variable->min,
                           .max = variable->max,
                           .has_min = variable->has_min,
                           .has_max = variable->has_max};
    size_t errors_before = l->diags->errors;
    if (variable->type == SF_T_LIST || variable->type == SF_T_MAP) {
        *out = raw;
        if (raw->type != (variable->type == SF_T_LIST ? SF_V_LIST : SF_V_MAP))
            bad_value(l, variable, raw,
                      variable->type == SF_T_LIST ? "must be a list, as in [a, b]" : "must be a map, as in {a: b}");
    } else if (variable->is_secret) {
        if (fit_secret(l, variable, raw, out))
            return SF_E_CONFIG;
    } else {
        const char *what = sf_str_fmt(l->arena, "variable '%s'", variable->name.p).p;
        if (sf_schema_type(l->arena, &attr, what, raw, l->diags, out))
            return SF_E_CONFIG;
    }
    if (variable->pattern.n && (*out)->type == SF_V_STRING)
        check_pattern(l, variable, *out);
    if (variable->enums && (*out)->type != SF_V_NULL)
        check_enum(l, variable, &attr, *out);
    return l->diags->errors > errors_before ? SF_E_CONFIG : SF_OK;
}

/* Of a secret that the environment did not give. */
static void read_secret(struct sf_loader *l, struct sf_variable *variable, struct candidate *candidate)
{
    const struct sf_value *declaration = sf_map_find(l->declarations, variable->name);
    const struct sf_value *file = sf_map_getz(declaration, "file"), *command = sf_map_getz(declaration, "command");
    struct sf_str text = SF_STR_NONE;
    if (variable->generate_length)
        candidate->source = SF_STR("generated");
    else
        candidate->source = sf_str_fmt(l->arena, "SF_VAR_%s", variable->name.p);
    if (file) {
        text = read_secret_file(l, file, variable->name.p);
        candidate->source = file->type == SF_V_STRING ? file->s : SF_STR("file");
    }
    if (!text.n && command) {
        text = run_secret_command(l, command, variable->name.p);
        candidate->source = SF_STR("command");
    }
    if (text.n)
        candidate->raw = sf_value_str(l->arena, text);
}

static void set_value(struct sf_loader *l, struct sf_variable *variable, struct candidate *candidate)
{
    if (variable->is_secret && !candidate->raw)
        read_secret(l, variable, candidate);
    variable->source = candidate->source;
    if (candidate->raw && fit(l, variable, candidate->raw, &variable->value)) {
        variable->value = NULL;
        return;
    }
    if (variable->value && variable->value->type != SF_V_NULL)
        return;
    if (variable->is_secret) { /* not marked secret: there is no text to protect */
        variable->value = sf_value_unknown(l->arena, sf_str_fmt(l->arena, "var.%s", variable->name.p));
        return;
    }
    variable->value = NULL;
    sf_diag_error(l->diags, "SF0310", variable->mark, "variable '%s' has no value", variable->name.p);
    sf_diag_help(l->diags, "give it with -var '%s=...', SF_VAR_%s, -var-file, or a default", variable->name.p, variable->name.p);
}

void sf_load_set_variables(struct sf_loader *l, const struct sf_var_setting *settings, size_t n)
{
    struct sf_stack *stack = l->stack;
    struct candidate *candidates = SF_NEW_ARRAY(l->arena, stack->n_variables, struct candidate);
    struct sf_map *none = sf_map_new(l->arena), *by_name = stack->variable_by_name;
    for (size_t i = 0; i < stack->n_variables; i++) {
        struct sf_variable *variable = &stack->variables[i];
        const struct sf_value *value = variable->default_value;
        stack->variable_by_name = none; /* a default is a literal: it may use ${stack.name} and file(), but no variable */
        if (value && sf_load_eval(l, NULL, value, &value))
            value = NULL;
        stack->variable_by_name = by_name;
        variable->default_value = value;
        if (value)
            candidates[i] = (struct candidate){value, SF_STR("default")};
    }
    for (size_t i = 0; i < n; i++)
        if (settings[i].is_file)
            take_file(l, candidates, settings[i].text);
    take_environment(l, candidates);
    for (size_t i = 0; i < n; i++)
        if (!settings[i].is_file)
            take_flag(l, candidates, settings[i].text);
    for (size_t i = 0; i < stack->n_variables; i++)
        set_value(l, &stack->variables[i], &candidates[i]);
}
