/* kind `cluster` in the local world: a PostgreSQL server of the stack's own (postgres.h has its files and processes).
 *
 * The identity is clusters/ID/meta.json; all that follows (initdb, configuration, start, database, password) is one idempotent
 * function, converge(), which create() and update() share. A cluster whose data directory is gone is ABSENT, though its meta.json
 * may be there: what was inside is lost, so it is made anew. destroy() leaves a mark first, so that one that was interrupted is
 * still seen and finished. Who may connect is decided by the security groups alone (enforce_pg.c). */
#include "attr/cluster.h"
#include "resources/local/postgres.h"

#include "engine/core/clock.h"
#include "resources/local/proc.h"

#include <signal.h>
#include <stdio.h>

static const char config_is_current[] = "current";

/* What meta.json keeps of `want`: all that the stack says but the password. */
static const char *const kept_attrs[] = {
    CLUSTER_IDENTIFIER, CLUSTER_DATABASE, CLUSTER_USERNAME, CLUSTER_ROLES, CLUSTER_SECURITY_GROUPS, CLUSTER_RUNNING, CLUSTER_TAGS,
};

/* --- names --- */

/* A name that people can use unquoted in SQL, on PostgreSQL and Redshift alike. */
static bool is_sql_name(struct sf_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || c == '_' || (i > 0 && c >= '0' && c <= '9'))) {
            return false;
        }
    }
    return name.n > 0 && name.n <= 63;
}

static bool is_identifier(struct sf_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && i > 0))) {
            return false;
        }
    }
    return name.n > 0 && name.n <= 63;
}

static enum sf_code check_names(const struct sf_value *want, struct sf_err *err)
{
    static const struct {
        const char *attr;
        const char *reserved[5];
    } names[] = {
        {CLUSTER_DATABASE, {"postgres", "template0", "template1", "padb_harvest", NULL}},
        {CLUSTER_USERNAME, {"public", "none", "rdsdb", "rdsadmin", NULL}},
    };
    const struct sf_value *id = sf_map_getz(want, CLUSTER_IDENTIFIER);
    if (id && id->type == SF_V_STRING && !is_identifier(id->s)) {
        sf_fail(err, SF_E_CONFIG, "'%.*s' cannot be a cluster's identifier", SF_ARG(id->s));
        sf_hint(err, "use 1 to 63 of a-z, 0-9 and '-', not starting with '-'");
        return SF_E_CONFIG;
    }
    for (size_t i = 0; i < SF_COUNT(names); i++) {
        const struct sf_value *name = sf_map_getz(want, names[i].attr);
        if (!name || name->type != SF_V_STRING) {
            continue; /* not known yet */
        }
        bool is_reserved = sf_str_starts(name->s, SF_STR("pg_"));
        for (size_t k = 0; names[i].reserved[k]; k++) {
            is_reserved = is_reserved || sf_str_is(name->s, names[i].reserved[k]);
        }
        if (is_reserved || !is_sql_name(name->s)) {
            sf_fail(err, SF_E_CONFIG, "'%.*s' cannot be a cluster's %s: it %s", SF_ARG(name->s), names[i].attr,
                    is_reserved ? "is reserved by the server" : "needs quoting in SQL");
            sf_hint(err, "use a-z, 0-9 and '_', not starting with a digit");
            return SF_E_CONFIG;
        }
    }
    return SF_OK;
}

/* --- derive: what the plan knows without asking the server --- */

static struct sf_str identifier_of(struct sf_op *op, const struct sf_value *want)
{
    return op->self->id.n ? op->self->id : sf_map_str(want, CLUSTER_IDENTIFIER);
}

/* The security groups as planned must let in the load, which comes from this machine; and the plan says when they will cost a
 * restart. A group that is only known by its id is left to the server. */
static enum sf_code review_access(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *groups = sf_map_getz(want, CLUSTER_SECURITY_GROUPS);
    size_t n = groups && groups->type == SF_V_LIST ? groups->list.n : 0, known = 0;
    const struct sf_value **ingress = SF_NEW_ARRAY(op->arena, n + 1, const struct sf_value *);
    const struct sf_object *group = NULL;
    for (size_t i = 0; (group = sf_op_ref(op, NULL, CLUSTER_SECURITY_GROUPS, i)) != NULL; i++) {
        const struct sf_value *rules = sf_map_getz(group->attrs, "ingress");
        if (known == n || !rules || sf_value_has_unknown(rules, NULL)) {
            return SF_OK;
        }
        ingress[known++] = rules;
    }
    if (known != n) {
        return SF_OK;
    }
    const char *bad;
    int port = (int)sf_map_int(want, CLUSTER_PORT, SF_POSTGRES_DECLARED_PORT);
    struct sf_postgres pg;
    struct sf_err ignored;
    enum sf_code rc = sf_postgres_load(op, identifier_of(op, want), &pg, &ignored);
    struct sf_admitted admitted = sf_postgres_admitted(op->arena, ingress, n, port, &bad);
    if (!sf_postgres_admits_loopback(&admitted)) {
        sf_fail(err, SF_E_CONFIG, "the security groups of '%.*s' shut out this machine, so nothing could be loaded",
                SF_ARG(op->self->address));
        sf_hint(err, "add 127.0.0.1/32 to the CIDRs that may reach port %d", port);
        return SF_E_CONFIG;
    }
    if (op->is_planning && !rc && sf_postgres_is_running(op, &pg, NULL, NULL)) {
        const char *now = sf_postgres_listen_on_disk(op, &pg);
        if (now && strcmp(now, admitted.listen) != 0) {
            sf_op_warn(op, "cluster '%.*s' will be restarted: it is to listen on %s instead of %s", SF_ARG(pg.id), admitted.listen,
                       now);
        }
    }
    return SF_OK;
}

/* On AWS it may be left to Secrets Manager, so the schema does not demand it. */
static enum sf_code check_password(const struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *password = sf_map_getz(want, CLUSTER_PASSWORD);
    if (password && password->type != SF_V_NULL) {
        return SF_OK;
    }
    sf_fail(err, SF_E_CONFIG, "a cluster needs a password here");
    sf_hint(err, "write `password: \"${var.db_password}\"`, with db_password: {type: string, secret: true, generate: {length: 32}} "
                 "among the variables");
    return SF_E_CONFIG;
}

static enum sf_code derive(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    enum sf_code rc = check_names(want, err);
    if (!rc) {
        rc = check_password(want, err);
    }
    if (!rc && identifier_of(op, want).n) {
        rc = review_access(op, want, err);
    }
    if (!rc) {
        sf_map_set_int(op->arena, want, CLUSTER_RULE_PORT, sf_map_int(want, CLUSTER_PORT, SF_POSTGRES_DECLARED_PORT));
        sf_map_set_str(op->arena, want, CLUSTER_CONFIGURATION, sf_str_of(config_is_current));
    }
    return rc;
}

/* --- read --- */

/* Whether the server answers and has the database; NULL when all is well, else what is not. */
static const char *defect_of_running(struct sf_op *op, const struct sf_postgres *pg)
{
    struct sf_pg *conn = NULL;
    struct sf_err why;
    if (!sf_proc_port_is_listening("127.0.0.1", pg->port, NULL)) {
        return sf_str_fmt(op->arena, "port %d does not listen", pg->port).p;
    }
    enum sf_code rc = sf_postgres_connect(op, pg, pg->database, true, &conn, &why);
    if (rc == SF_E_ABSENT) {
        return sf_str_fmt(op->arena, "database %s is missing", pg->database).p;
    }
    if (rc) {
        return sf_str_fmt(op->arena, "engine control fails: %s", why.message).p;
    }
    sf_pg_close(conn);
    return NULL;
}

static void report(struct sf_op *op, const struct sf_postgres *pg, struct sf_outcome *out)
{
    struct sf_value *attrs = sf_value_map(op->arena);
    for (size_t i = 0; i < SF_COUNT(kept_attrs); i++) {
        const struct sf_value *value = sf_map_getz(pg->attrs, kept_attrs[i]);
        if (value) {
            sf_map_set(op->arena, attrs, sf_str_of(kept_attrs[i]), value);
        }
    }
    bool is_running = sf_postgres_is_running(op, pg, NULL, NULL);
    const char *defect = pg->is_being_removed ? "being removed" : sf_postgres_config_drift(op, pg);
    if (!defect && !sf_postgres_is_recorded(op, pg)) {
        defect = "server.json";
    }
    if (!defect && is_running) {
        defect = defect_of_running(op, pg);
    }
    sf_map_set_bool(op->arena, attrs, CLUSTER_RUNNING, is_running);
    sf_map_set_int(op->arena, attrs, CLUSTER_PORT, pg->port ? pg->port : pg->declared_port);
    sf_map_set_int(op->arena, attrs, CLUSTER_RULE_PORT, pg->declared_port);
    sf_map_set_str(op->arena, attrs, CLUSTER_HOST, SF_STR("127.0.0.1"));
    sf_map_set_str(op->arena, attrs, CLUSTER_ENDPOINT,
                   sf_str_fmt(op->arena, "127.0.0.1:%d", pg->port ? pg->port : pg->declared_port));
    sf_map_set_str(op->arena, attrs, CLUSTER_VERSION, sf_str_of(pg->version));
    sf_map_set(op->arena, attrs, SF_STR(CLUSTER_QUERY_EDITOR_URL), &sf_null_value);
    sf_map_set_str(op->arena, attrs, CLUSTER_CONFIGURATION, sf_str_of(defect ? defect : config_is_current));
    out->id = pg->id;
    out->attrs = attrs;
}

static enum sf_code read_cluster(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_postgres pg;
    if (!is_identifier(id)) {
        return sf_fail(err, SF_E_ABSENT, "'%.*s' is no cluster's identifier", SF_ARG(id));
    }
    enum sf_code rc = sf_postgres_load(op, id, &pg, err);
    if (!rc) {
        rc = sf_territory_check_stack(op, pg.meta, sf_str_fmt(op->arena, "cluster '%.*s'", SF_ARG(id)).p, err);
    }
    if (!rc && sf_postgres_data_major(op, &pg) == 0 && !pg.is_being_removed) {
        rc = sf_fail(err, SF_E_ABSENT, "the data directory of cluster '%.*s' is gone", SF_ARG(id));
    }
    if (!rc) {
        report(op, &pg, out);
    }
    return rc;
}

static enum sf_code find(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_str id = sf_map_str(want, CLUSTER_IDENTIFIER);
    enum sf_code rc = read_cluster(op, id, out, err);
    if (rc == SF_E_CONFLICT) {
        return sf_fail(err, SF_E_ABSENT, "cluster '%.*s' belongs to somebody else", SF_ARG(id));
    }
    return rc;
}

/* --- create and update --- */

static enum sf_code write_wishes(struct sf_op *op, struct sf_str id, const struct sf_value *want, struct sf_err *err)
{
    struct sf_value *attrs = sf_value_map(op->arena);
    for (size_t i = 0; i < SF_COUNT(kept_attrs); i++) {
        const struct sf_value *value = sf_map_getz(want, kept_attrs[i]);
        if (value) {
            sf_map_set(op->arena, attrs, sf_str_of(kept_attrs[i]), value);
        }
    }
    /* what the stack asks for; the port in use is chosen at the first start and is in server.json */
    sf_map_set_int(op->arena, attrs, CLUSTER_PORT, sf_map_int(want, CLUSTER_PORT, SF_POSTGRES_DECLARED_PORT));
    return sf_territory_write_meta(op, sf_territory_path(op, "clusters/%.*s/meta.json", SF_ARG(id)), id, attrs, err);
}

/* The clear password, or an empty view when this run does not have it. */
static struct sf_str clear_password(const struct sf_value *want)
{
    const struct sf_value *password = sf_map_getz(want, CLUSTER_PASSWORD);
    return password && password->type == SF_V_STRING ? password->s : SF_STR_NONE;
}

static bool password_differs(struct sf_op *op, const struct sf_value *have, struct sf_str clear)
{
    const struct sf_value *kept = sf_map_getz(have, CLUSTER_PASSWORD);
    return !kept || kept->type != SF_V_FINGERPRINT || !sf_str_eq(kept->s, sf_op_fingerprint(op, clear));
}

static enum sf_code ensure_database(struct sf_op *op, const struct sf_postgres *pg, struct sf_pg *conn, struct sf_err *err)
{
    const struct sf_value *rows = NULL;
    struct sf_str name = sf_pg_ident(op->arena, sf_str_of(pg->database));
    struct sf_str sql = sf_str_fmt(op->arena, "SELECT 1 FROM pg_database WHERE datname = %.*s",
                                   SF_ARG(sf_pg_literal(op->arena, sf_str_of(pg->database))));
    /* the server may still be at it for a run that was killed: it does not see that its client is gone */
    enum sf_code rc = sf_pg_exec(conn, SF_STR("SELECT pg_advisory_lock(5439)"), NULL, err);
    if (!rc) {
        rc = sf_pg_exec(conn, sql, &rows, err);
    }
    if (!rc && rows->list.n == 0) {
        rc = sf_op_intent(op, "CREATE DATABASE", err);
        if (!rc) {
            rc = sf_pg_execf(
                conn, err, "CREATE DATABASE %s TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'", name.p);
        }
    }
    /* a client that asks for nothing gets what the load gets; star_schema adds the search path */
    return rc ? rc : sf_pg_execf(conn, err, "ALTER DATABASE %s SET timezone = 'UTC'", name.p);
}

/* Makes the server what `want` says: running with its database and password, or stopped. */
static enum sf_code converge(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                             struct sf_err *err)
{
    struct sf_postgres pg;
    struct sf_pg *conn = NULL;
    struct sf_territory *territory = sf_territory_of(op);
    struct sf_str password = clear_password(want);
    enum sf_code rc = sf_postgres_load(op, id, &pg, err);
    if (rc) {
        return rc;
    }
    bool is_new = sf_postgres_data_major(op, &pg) == 0;
    if (is_new && !password.n) {
        sf_fail(err, SF_E_CONFIG, "the password of cluster '%.*s' is needed to make it, and this run does not have it", SF_ARG(id));
        sf_hint(err, "give the variable that `password` comes from, as in SF_VAR_name=...");
        return SF_E_CONFIG;
    }
    sf_op_progress(op, is_new ? "initdb" : "start");
    rc = sf_postgres_init(op, &pg, password, err);
    bool sets_password = !rc && !is_new && password.n && password_differs(op, have, password);
    bool shall_run = sf_map_bool(want, CLUSTER_RUNNING, true);
    /* a new database directory needs its database, a changed password its server, even if it is stopped again right after */
    if (!rc && (shall_run || sets_password || is_new)) {
        pthread_mutex_lock(&territory->mutex);
        rc = sf_postgres_start(op, &pg, err);
        pthread_mutex_unlock(&territory->mutex);
        if (!rc) {
            rc = sf_local_enforce(op, err); /* before anything is asked: a damaged pg_hba.conf would keep us out */
        }
        if (!rc) {
            rc = sf_postgres_load(op, id, &pg, err);
        }
        if (!rc) {
            rc = sf_postgres_connect(op, &pg, "postgres", false, &conn, err);
        }
        if (!rc) {
            rc = ensure_database(op, &pg, conn, err);
        }
        if (!rc && sets_password) {
            rc = sf_op_intent(op, "ALTER ROLE PASSWORD", err);
            if (!rc) {
                rc = sf_pg_set_password(conn, pg.username, sf_str_dup(op->arena, password).p, err);
            }
        }
        sf_pg_close(conn);
    }
    if (!rc && !shall_run && sf_postgres_is_running(op, &pg, NULL, NULL)) {
        rc = sf_op_intent(op, "stop postgres", err);
        if (!rc) {
            rc = sf_postgres_stop(op, &pg, SIGINT, err);
        }
    }
    return rc ? rc : sf_local_enforce(op, err);
}

static enum sf_code finish(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    enum sf_code rc = converge(op, id, have, want, err);
    struct sf_postgres pg;
    struct sf_err ignored;
    out->id = id;
    if (sf_postgres_load(op, id, &pg, rc ? &ignored : err) == SF_OK) {
        report(op, &pg, out);
    }
    return rc;
}

static enum sf_code remove_all(struct sf_op *op, const struct sf_postgres *pg, struct sf_err *err);

static enum sf_code create(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_str id = sf_map_str(want, CLUSTER_IDENTIFIER);
    struct sf_postgres pg;
    const char *bin;
    enum sf_code rc = check_names(want, err);
    if (rc) {
        return rc;
    }
    rc = sf_postgres_load(op, id, &pg, err);
    if (!rc) {
        rc = sf_territory_check_owner(op, pg.meta, sf_str_fmt(op->arena, "cluster '%.*s'", SF_ARG(id)).p, err);
        if (!rc && pg.is_being_removed) {
            rc = remove_all(op, &pg, err);
        }
    } else if (rc == SF_E_ABSENT) {
        rc = SF_OK;
        if (sf_postgres_data_major(op, &pg) != 0) {
            sf_fail(err, SF_E_CONFLICT, "'%s' holds a database that carries no mark of a stack", pg.dir);
            sf_hint(err, "move it away, or choose another identifier");
            return SF_E_CONFLICT;
        }
    }
    if (!rc) {
        rc = sf_postgres_bin(op, &pg, &bin, err);
    }
    if (!rc) {
        rc = sf_op_intent(op, "mkdir", err);
    }
    if (!rc) {
        rc = write_wishes(op, id, want, err);
    }
    if (rc) {
        return rc;
    }
    out->id = id;
    rc = sf_op_made(op, id, err);
    return rc ? rc : finish(op, id, NULL, want, out, err);
}

static enum sf_code update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    struct sf_postgres pg;
    enum sf_code rc = sf_postgres_load(op, id, &pg, err);
    if (!rc) {
        rc = sf_territory_check_stack(op, pg.meta, sf_str_fmt(op->arena, "cluster '%.*s'", SF_ARG(id)).p, err);
    }
    if (!rc) {
        rc = sf_op_intent(op, "write meta.json", err);
    }
    if (!rc) {
        rc = write_wishes(op, id, want, err);
    }
    return rc ? rc : finish(op, id, have, want, out, err);
}

/* --- destroy --- */

/* Stops at once (nothing in it is needed any more, so nothing need be flushed), then removes data first and meta.json last. */
static enum sf_code remove_all(struct sf_op *op, const struct sf_postgres *pg, struct sf_err *err)
{
    struct sf_territory *territory = sf_territory_of(op);
    const char *mark = sf_str_fmt(op->arena, "%s/removing", pg->dir).p;
    enum sf_code rc = sf_op_intent(op, "stop and remove", err);
    if (!rc) {
        rc = sf_territory_write_file(op, mark, SF_STR_NONE, 0600, err);
    }
    if (rc) {
        return rc;
    }
    pthread_mutex_lock(&territory->mutex);
    rc = sf_postgres_stop(op, pg, SIGQUIT, err);
    if (!rc) {
        rc = sf_postgres_remove_sockets(op, pg, err);
    }
    if (!rc) {
        rc = sf_territory_remove_tree(op, pg->data_dir, err);
    }
    if (!rc) {
        rc = sf_territory_remove_tree(op, pg->dir, err);
    }
    pthread_mutex_unlock(&territory->mutex);
    return rc;
}

static enum sf_code destroy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_postgres pg;
    out->id = id;
    if (!is_identifier(id)) {
        return SF_OK;
    }
    enum sf_code rc = sf_postgres_load(op, id, &pg, err);
    if (rc == SF_E_ABSENT) {
        return SF_OK;
    }
    if (!rc) {
        rc = sf_territory_check_stack(op, pg.meta, sf_str_fmt(op->arena, "cluster '%.*s'", SF_ARG(id)).p, err);
    }
    return rc ? rc : remove_all(op, &pg, err);
}

/* --- preflight --- */

static enum sf_code preflight(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    struct sf_str id = sf_map_str(want, CLUSTER_IDENTIFIER);
    struct sf_postgres pg;
    const char *bin;
    struct sf_err ignored;
    enum sf_code rc = sf_postgres_load(op, id, &pg, &ignored);
    if (!rc) {
        rc = sf_territory_check_owner(op, pg.meta, sf_str_fmt(op->arena, "cluster '%.*s'", SF_ARG(id)).p, err);
    } else if (rc == SF_E_ABSENT) {
        rc = SF_OK;
    } else if (err) {
        *err = ignored;
    }
    if (!rc) {
        pg.data_dir = "/nonexistent"; /* a create starts with no data: any installed version will do */
        rc = sf_postgres_bin(op, &pg, &bin, err);
    }
    int64_t port = sf_map_int(want, CLUSTER_PORT, SF_POSTGRES_DECLARED_PORT);
    if (!rc && sf_proc_port_is_listening("127.0.0.1", (int)port, NULL)) {
        sf_op_warn(op, "port %lld is taken on this machine: cluster '%.*s' will listen on the next free one", (long long)port,
                   SF_ARG(id));
    }
    return rc;
}

extern const struct sf_driver sf_driver_local_cluster;
const struct sf_driver sf_driver_local_cluster = {
    .kind = "cluster",
    .world = "local",
    .read = read_cluster,
    .find = find,
    .create = create,
    .update = update,
    .destroy = destroy,
    .preflight = preflight,
    .derive = derive,
};
