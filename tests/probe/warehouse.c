/* sfprobe warehouse FILE: statements to a Redshift cluster by either road, without a stack, for tests of the roads.
 *
 * {region, cluster: {id, attrs}, do: query | run | ask, sql: TEXT or [TEXT], user?, password?}. As while planning: nothing but the
 * statements is changed. Prints {columns, rows} or {exit, failed, message, hint, remote_code}, and 0. */
#include "attr/cluster.h"
#include "engine/core/clock.h"
#include "engine/core/json.h"
#include "engine/run/session.h"
#include "resources/aws/direct.h"
#include "resources/aws/query.h"
#include "resources/aws/warehouse.h"
#include "resources/aws/world.h"
#include "tests/probe/probe.h"

#include <stdio.h>

enum { WAIT_MS = 60000, MAX_STATEMENTS = 64 };

static enum sf_code ask(struct sf_op *op, const struct sf_object *cluster, const struct sf_value *asked, struct sf_value *reply,
                        size_t *failed, struct sf_err *err)
{
    const struct sf_value *rows = NULL, *sql = sf_map_getz(asked, "sql");
    struct sf_statement statements[MAX_STATEMENTS] = {0};
    struct sf_str what = sf_map_str(asked, "do");
    struct sf_answer answer = {0};
    bool is_direct = sf_str_is(sf_map_str(cluster->attrs, CLUSTER_CONNECTION), "direct");
    enum sf_code rc;
    *failed = 0;
    if (sf_str_is(what, "run")) {
        size_t n = sql->list.n < MAX_STATEMENTS ? sql->list.n : MAX_STATEMENTS;
        for (size_t i = 0; i < n; i++)
            statements[i] = (struct sf_statement){.what = "a statement", .sql = sql->list.items[i]->s, .wants_rows = true};
        rc = sf_aws_warehouse_run(op, cluster, statements, n, &rows, failed, err);
    } else if (sf_str_is(what, "ask")) {
        rc = sf_aws_warehouse_ask(op, cluster, sf_map_str(asked, "user"), sf_map_str(asked, "password"), sql->s, &answer, err);
        rows = answer.rows;
    } else if (is_direct) {
        rc = sf_aws_direct_query(op, cluster, sql->s, &rows, err);
    } else {
        rc = sf_aws_warehouse_query(op, cluster, sql->s, &rows, err);
    }
    if (!rc && answer.columns)
        sf_map_set(op->arena, reply, SF_STR("columns"), answer.columns);
    if (!rc && rows)
        sf_map_set(op->arena, reply, SF_STR("rows"), rows);
    return rc;
}

static enum sf_code probe(struct sf_arena *arena, struct sf_str text, const char *file, struct sf_err *err)
{
    const struct sf_value *asked = NULL;
    enum sf_code rc = sf_json_parse(arena, text, file, SF_JSON_PLAIN, &asked, err);
    if (rc)
        return rc;
    const struct sf_value *of = sf_map_getz(asked, "cluster");
    struct sf_run run = {.arena = arena, .mutex = PTHREAD_MUTEX_INITIALIZER};
    struct sf_run_ctx ctx = {.run = &run};
    struct sf_site site = {.settings = asked, .world = &sf_world_aws, .stack_dir = "/"};
    struct sf_object cluster = {.id = sf_map_str(of, "id"), .name = SF_STR("dw"), .attrs = sf_map_getz(of, "attrs")};
    run.last_note = &run.notes;
    sf_sched_catch_signals();
    rc = sf_world_aws.check(arena, &site, err);
    if (rc)
        return rc;
    struct sf_op op = {.arena = arena,
                       .site = &site,
                       .self = &cluster,
                       .deadline_ms = sf_clock_ms() + sf_map_int(asked, "wait_ms", WAIT_MS),
                       .is_planning = true,
                       .run = &ctx};
    struct sf_value *reply = sf_value_map(arena);
    size_t failed = 0;
    rc = ask(&op, &cluster, asked, reply, &failed, err);
    if (rc) {
        sf_map_set_int(arena, reply, "exit", sf_exit_code(rc));
        sf_map_set_int(arena, reply, "failed", (int64_t)failed);
        sf_map_set_str(arena, reply, "message", sf_str_of(err->message));
        sf_map_set_str(arena, reply, "hint", sf_str_of(err->hint));
        sf_map_set_str(arena, reply, "remote_code", sf_str_of(err->remote_code));
    }
    puts(sf_json_text(arena, reply, SF_JSON_PLAIN).p);
    sf_world_aws.close(&site);
    return SF_OK;
}

int sf_probe_warehouse(const char *file)
{
    return sf_probe_ask(file, probe);
}
