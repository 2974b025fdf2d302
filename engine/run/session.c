/* Opening and closing a run. See session.h. */
#include "engine/run/session.h"

#include "engine/core/clock.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum sf_code sf_run_begin(struct sf_run *run, struct sf_err *err)
{
    if (run->in_transaction)
        return SF_OK;
    if (!run->store || !run->may_write)
        return sf_fail(err, SF_E_INTERNAL, "a run that may not write tried to");
    enum sf_code rc = sf_store_begin(run->store, err);
    run->in_transaction = rc == SF_OK;
    return rc;
}

enum sf_code sf_run_commit(struct sf_run *run, struct sf_err *err)
{
    if (!run->in_transaction)
        return SF_OK;
    run->in_transaction = false;
    return sf_store_commit(run->store, err);
}

void sf_run_rollback(struct sf_run *run)
{
    if (run->in_transaction)
        sf_store_rollback(run->store);
    run->in_transaction = false;
}

struct sf_op sf_run_op(struct sf_run *run, struct sf_run_ctx *ctx, struct sf_arena *arena, const struct sf_object *self,
                       int seconds)
{
    return (struct sf_op){
        .arena = arena, .site = &run->site, .self = self, .deadline_ms = sf_clock_ms() + 1000LL * seconds, .run = ctx};
}

void sf_run_settle(const struct sf_run *run, const struct sf_node *node, struct sf_op *op)
{
    const struct sf_plan_options *options = &run->graph.options;
    op->settled_by = options->is_data_skipped ? SF_SETTLED_BY_STATE : SF_SETTLED_BY_PLAN;
    op->settled = !options->is_data_skipped ? sf_map_get(options->settled, node->address)
                  : node->recorded          ? node->recorded->attrs
                                            : NULL;
}

static struct sf_str replace_order_name(const struct sf_schema *schema)
{
    static const char *const names[] = {"delete_first", "create_first", "attachment"};
    return sf_str_of(names[schema->replace_order]);
}

struct sf_row sf_run_row(struct sf_run *run, struct sf_arena *arena, const struct sf_node *node, struct sf_str id,
                         enum sf_row_status status, const struct sf_value *attrs, const struct sf_value *refs)
{
    (void)run;
    const struct sf_value **deps = SF_NEW_ARRAY(arena, node->n_deps, const struct sf_value *);
    for (size_t i = 0; i < node->n_deps; i++)
        deps[i] = sf_value_str(arena, node->deps[i]->address);
    bool keeps = node->resource ? node->resource->on_remove == SF_ON_REMOVE_FORGET
                                : node->recorded && node->recorded->on_remove == SF_ON_REMOVE_FORGET;
    return (struct sf_row){
        .address = node->address,
        .kind = node->kind,
        .id = id,
        .status = status,
        .attrs = attrs,
        .refs = refs,
        .deps = sf_value_list(arena, deps, node->n_deps),
        .replace_order = replace_order_name(node->schema),
        .with_container = node->schema->with_container == SF_DESTROY_OWN ? SF_STR("destroy_own") : SF_STR("forget"),
        .container = node->container ? node->container->address : SF_STR_NONE,
        .is_protected = node->resource ? node->resource->is_protected : node->recorded && node->recorded->is_protected,
        .on_remove = keeps ? SF_STR("forget") : SF_STR("destroy"),
    };
}

static struct sf_str fingerprint(void *key, struct sf_arena *arena, struct sf_str clear)
{
    struct sf_run *run = key;
    return run->store ? sf_store_fingerprint(run->store, arena, clear) : SF_STR_NONE;
}

/* The directory that holds schemas/ of this program: beside the build directory, or PREFIX/share/sfstack. */
static const char *find_share_dir(struct sf_arena *arena)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    if (n <= 0)
        return ".";
    exe[n] = 0;
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(exe, '/');
        if (slash)
            *slash = 0;
    }
    const char *candidates[] = {sf_str_fmt(arena, "%s", exe).p, sf_str_fmt(arena, "%s/share/sfstack", exe).p};
    for (size_t i = 0; i < SF_COUNT(candidates); i++)
        if (access(sf_str_fmt(arena, "%s/schemas/data", candidates[i]).p, R_OK) == 0)
            return candidates[i];
    return candidates[0];
}

static const char *absolute(struct sf_arena *arena, const char *path)
{
    if (path[0] == '/')
        return path;
    char here[PATH_MAX];
    return getcwd(here, sizeof(here)) ? sf_str_fmt(arena, "%s/%s", here, path).p : path;
}

static void set_paths(struct sf_run *run, const char *state_path)
{
    struct sf_arena *arena = run->arena;
    struct sf_site *site = &run->site;
    site->stack_dir = run->stack->dir;
    site->state_dir = sf_str_fmt(arena, "%s/.sf/%.*s/%s", run->stack->dir, SF_ARG(run->stack->name), site->provider.p).p;
    bool is_shared = state_path && strstr(state_path, "://");
    run->state_path = is_shared    ? state_path
                      : state_path ? absolute(arena, state_path)
                                   : sf_str_fmt(arena, "%s/state.db", site->state_dir).p;
    if (state_path && !is_shared) {
        const char *slash = strrchr(run->state_path, '/');
        site->state_dir = sf_str_fmt(arena, "%.*s", (int)(slash - run->state_path), run->state_path).p;
    }
    site->cache_dir = sf_str_fmt(arena, "%s/.sf/cache", run->stack->dir).p;
    site->secrets_dir = sf_str_fmt(arena, "%s/secrets", site->state_dir).p;
    site->share_dir = find_share_dir(arena);
}

static enum sf_code open_store(struct sf_run *run, const struct sf_run_params *params, struct sf_err *err)
{
    struct sf_site *site = &run->site;
    struct sf_store_identity identity = {site->stack, site->provider, site->account, site->region};
    enum sf_code rc = sf_store_open(run->state_path, &identity, params->may_write, !params->may_write, &run->store, err);
    if (rc == SF_E_ABSENT) {
        run->store = NULL;
        site->lineage = sf_random_uuid(run->arena);
        return SF_OK;
    }
    if (rc)
        return rc;
    site->lineage = sf_store_lineage(run->store);
    if (params->may_write) {
        rc = sf_store_lock(run->store, params->command, params->lock_wait_ms, err);
        if (rc)
            return rc;
    }
    rc = sf_store_load_key(run->store, params->may_write, err);
    return rc == SF_E_ABSENT ? SF_OK : rc;
}

static enum sf_code open_world(struct sf_run *run, struct sf_err *err)
{
    const struct sf_value *recorded = NULL, *record = NULL;
    if (run->store) {
        enum sf_code rc = sf_store_get_meta(run->store, run->arena, "world", &recorded, err);
        if (rc && rc != SF_E_ABSENT)
            return rc;
    }
    if (!recorded)
        recorded = sf_value_map(run->arena);
    enum sf_code rc = run->provider.open(run->arena, &run->site, run->may_write, recorded, &run->site.world_ctx, &record, err);
    if (rc || !record || !run->may_write)
        return rc;
    rc = sf_run_begin(run, err);
    if (!rc)
        rc = sf_store_put_meta(run->store, "world", record, err);
    return rc ? rc : sf_run_commit(run, err);
}

/* Values that earlier runs generated are unsealed; those without one stay unknown until sf_run_generate(). */
static enum sf_code load_generated(struct sf_run *run, struct sf_err *err)
{
    for (size_t i = 0; run->store && i < run->stack->n_variables; i++) {
        struct sf_variable *variable = &run->stack->variables[i];
        if (!variable->generate_length || (variable->value && variable->value->type != SF_V_UNKNOWN))
            continue;
        struct sf_str clear = SF_STR_NONE;
        struct sf_str address = sf_str_fmt(run->arena, "var.%.*s", SF_ARG(variable->name));
        enum sf_code rc = sf_store_unseal(run->store, run->arena, address, "value", &clear, err);
        if (rc == SF_OK)
            variable->value = sf_value_secret(run->arena, clear);
        else if (rc != SF_E_ABSENT)
            return rc;
    }
    return SF_OK;
}

/* Letters and digits only, at least one of each class: what every warehouse accepts as a password. */
static struct sf_str generate_text(struct sf_arena *arena, int length)
{
    static const char alphabet[] = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"; /* 57 */
    char *text = sf_arena_alloc(arena, (size_t)length + 1);
    for (;;) {
        bool upper = false, lower = false, digit = false;
        for (int i = 0; i < length;) {
            unsigned char byte;
            sf_random_bytes(&byte, 1);
            if (byte >= 228) /* 4 * 57: no bias */
                continue;
            text[i] = alphabet[byte % 57];
            upper |= text[i] >= 'A' && text[i] <= 'Z';
            lower |= text[i] >= 'a' && text[i] <= 'z';
            digit |= text[i] >= '2' && text[i] <= '9';
            i++;
        }
        if ((upper && lower && digit) || length < 3)
            return (struct sf_str){text, (size_t)length};
    }
}

enum sf_code sf_run_generate(struct sf_run *run, struct sf_err *err)
{
    for (size_t i = 0; i < run->stack->n_variables; i++) {
        struct sf_variable *variable = &run->stack->variables[i];
        if (!variable->generate_length || (variable->value && variable->value->type != SF_V_UNKNOWN))
            continue;
        struct sf_str clear = generate_text(run->arena, variable->generate_length);
        struct sf_str address = sf_str_fmt(run->arena, "var.%.*s", SF_ARG(variable->name));
        enum sf_code rc = sf_run_begin(run, err);
        if (!rc)
            rc = sf_store_seal(run->store, address, "value", clear, err);
        if (rc)
            return rc;
        variable->value = sf_value_secret(run->arena, clear);
    }
    return sf_run_commit(run, err);
}

static struct sf_recorded recorded_of(const struct sf_row *row)
{
    return (struct sf_recorded){
        .address = row->address,
        .kind = row->kind,
        .generation = row->generation,
        .id = row->id,
        .is_incomplete = row->status == SF_ROW_INCOMPLETE,
        .is_protected = row->is_protected,
        .on_remove = sf_str_is(row->on_remove, "forget") ? SF_ON_REMOVE_FORGET : SF_ON_REMOVE_DESTROY,
        .replace_order = row->replace_order,
        .with_container = row->with_container,
        .container = row->container,
        .attrs = row->attrs,
        .refs = row->refs,
        .deps = row->deps,
    };
}

static enum sf_code build_graph(struct sf_run *run, const struct sf_run_params *params, struct sf_err *err)
{
    struct sf_row *rows = NULL;
    struct sf_intent *intents = NULL;
    size_t n_rows = 0, n_intents = 0;
    enum sf_code rc = SF_OK;
    if (run->store) {
        rc = sf_store_rows(run->store, run->arena, &rows, &n_rows, err);
        if (!rc)
            rc = sf_store_intents(run->store, run->arena, &intents, &n_intents, err);
        if (!rc)
            rc = sf_store_get_meta(run->store, run->arena, "outputs", &run->graph.recorded_outputs, err);
        if (rc == SF_E_ABSENT)
            rc = SF_OK;
        if (rc)
            return rc;
    }
    struct sf_recorded *recorded = SF_NEW_ARRAY(run->arena, n_rows, struct sf_recorded);
    for (size_t i = 0; i < n_rows; i++)
        recorded[i] = recorded_of(&rows[i]);
    struct sf_open_intent *open = SF_NEW_ARRAY(run->arena, n_intents, struct sf_open_intent);
    for (size_t i = 0; i < n_intents; i++)
        open[i] = (struct sf_open_intent){intents[i].id,      intents[i].address, intents[i].kind, intents[i].verb, intents[i].call,
                                          intents[i].made_id, intents[i].want,    intents[i].refs, intents[i].deps};
    run->graph.arena = run->arena;
    run->graph.stack = run->stack;
    run->graph.site = &run->site;
    run->graph.options = params->options;
    run->graph.diags = run->diags;
    run->graph.fingerprint = fingerprint;
    run->graph.fingerprint_key = run;
    return sf_graph_build(&run->graph, recorded, n_rows, open, n_intents, err);
}

static const char *environment(const char *name)
{
    return getenv(name);
}

enum sf_code sf_run_open(struct sf_run *run, const struct sf_run_params *params, struct sf_err *err)
{
    *run = (struct sf_run){
        .arena = sf_arena_new(), .check_arena = sf_arena_new(), .may_write = params->may_write, .events = params->events};
    run->thread = pthread_self();
    run->last_note = &run->notes;
    run->parallelism = params->parallelism;
    run->started_ms = sf_clock_ms();
    run->retries.tokens = SF_RETRY_TOKENS;
    pthread_mutex_init(&run->mutex, NULL);
    run->id = sf_random_uuid(run->arena);
    run->diags = sf_diags_new(run->arena);
    enum sf_code rc = sf_stack_load(run->arena, params->stack_file, params->provider, params->settings, params->n_settings,
                                    environment, run->diags, &run->stack);
    if (rc)
        return sf_fail(err, rc, "the stack file is not valid");
    struct sf_provider *provider = &run->provider;
    if (!sf_provider_find(run->stack->provider, provider)) {
        sf_fail(err, SF_E_CONFIG, "this program cannot work in the world '%.*s' yet", SF_ARG(run->stack->provider));
        sf_hint(err, "use 'provider: local', or --provider=local for this run");
        return SF_E_CONFIG;
    }
    run->site = (struct sf_site){.stack = run->stack->name,
                                 .provider = run->stack->provider,
                                 .account = provider->account,
                                 .region = provider->region,
                                 .tags = run->stack->tags,
                                 .settings = run->stack->settings,
                                 .world = provider->world};
    const struct sf_value **accepted = SF_NEW_ARRAY(run->arena, params->n_accepted_checks + 1, const struct sf_value *);
    for (size_t i = 0; i < params->n_accepted_checks; i++)
        accepted[i] = sf_value_str(run->arena, params->accepted_checks[i]);
    run->site.accepted_checks = sf_value_list(run->arena, accepted, params->n_accepted_checks);
    set_paths(run, params->state_path);
    rc = provider->check ? provider->check(run->arena, &run->site, err) : SF_OK;
    if (!rc)
        rc = open_store(run, params, err);
    if (!rc)
        rc = open_world(run, err);
    if (!rc)
        rc = load_generated(run, err);
    if (!rc)
        rc = build_graph(run, params, err);
    if (!rc)
        run->sched = sf_sched_new(params->parallelism);
    return rc;
}

void sf_run_close(struct sf_run *run)
{
    sf_sched_free(run->sched);
    if (run->provider.close)
        run->provider.close(&run->site);
    if (run->in_transaction)
        sf_store_rollback(run->store);
    sf_store_close(run->store);
    for (struct sf_note *note = run->notes, *next; note; note = next) {
        next = note->next;
        free(note);
    }
    for (size_t i = 0; i < run->n_kept; i++)
        sf_arena_free(run->kept[i]);
    pthread_mutex_destroy(&run->mutex);
    sf_arena_free(run->check_arena);
    sf_arena_free(run->arena);
    *run = (struct sf_run){0};
}
