/* The warehouse half of the local world (warehouse.h): SQL on the PostgreSQL server of a cluster.
 *
 * query() and control() go over the control socket, outside the security groups. run() is a client like any other: TCP, the master
 * user, his password, so a security group that shuts it out does shut it out. A copy is what Redshift's COPY would be: the role
 * must be attached to the cluster, trust redshift and be allowed to read each object; judged by the territory's files as they are
 * now. The objects are unpacked here and streamed to COPY FROM STDIN: the server reads no file of ours and needs no right to. */
#include "resources/local/warehouse.h"

#include "engine/core/clock.h"
#include "resources/local/copy_code.h"
#include "resources/local/postgres.h"
#include "resources/local/role_policies.h"
#include "resources/net/gunzip.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* A load takes a few statements a partition. (The Data API of Redshift takes 40, but one copy fills all years there.) */
enum { COPIES_A_COMMIT = 8, MAX_STATEMENTS = 4000, DEFAULT_WAIT_MS = 600000, MAX_CONNECTIONS = 8 };

/* --- the server --- */

static enum sf_code load_cluster(struct sf_op *op, const struct sf_object *cluster, struct sf_postgres *pg, struct sf_err *err)
{
    struct sf_str id = cluster->id.n ? cluster->id : sf_map_str(cluster->attrs, "identifier");
    if (!id.n || memchr(id.p, '/', id.n) || id.p[0] == '.') {
        return sf_fail(err, SF_E_UNAVAILABLE, "'%.*s' does not exist yet", SF_ARG(cluster->address));
    }
    enum sf_code rc = sf_postgres_load(op, id, pg, err);
    if (rc == SF_E_ABSENT || (!rc && !sf_postgres_is_running(op, pg, NULL, NULL))) {
        sf_fail(err, SF_E_UNAVAILABLE, "cluster '%.*s' %s", SF_ARG(id), rc ? "does not exist" : "is stopped");
        sf_hint(err, rc ? "sfapply makes it" : "sfapply starts it, unless the stack file says `running: false`");
        return SF_E_UNAVAILABLE;
    }
    return rc;
}

/* --- the role of a copy --- */

struct copier {
    struct sf_role_policies role;
    struct sf_str bucket_arn;
    struct sf_iam_request request;
    struct sf_iam_policies policies;
    struct sf_value *context;
};

static enum sf_code may_on_key(struct sf_op *op, const struct copier *copier, const char *action, struct sf_str key,
                               struct sf_err *err)
{
    bool is_list = strcmp(action, "s3:ListBucket") == 0;
    struct sf_iam_answer answer;
    sf_map_set(op->arena, copier->context, SF_STR("s3:prefix"), is_list ? sf_value_str(op->arena, key) : NULL);
    enum sf_code rc = sf_iam_s3_allows(op->arena, &copier->request, &copier->policies, action, copier->bucket_arn,
                                       is_list ? SF_STR_NONE : key, &answer, err);
    if (rc) {
        sf_context(err, "in the policies of role '%.*s'", SF_ARG(copier->role.name));
        return rc;
    }
    if (answer.decision == SF_IAM_ALLOWED) {
        return SF_OK;
    }
    struct sf_str what = is_list ? copier->bucket_arn : sf_str_fmt(op->arena, "%.*s/%.*s", SF_ARG(copier->bucket_arn), SF_ARG(key));
    struct sf_str sid = sf_map_str(answer.statement, "Sid");
    sf_fail(err, SF_E_DENIED, "role '%.*s' may not do %s on '%.*s': %s%s%.*s", SF_ARG(copier->role.name), action, SF_ARG(what),
            sf_iam_decision_name(answer.decision), sid.n ? " by statement " : "", SF_ARG(sid));
    if (answer.decision == SF_IAM_EXPLICITLY_DENIED) {
        sf_hint(err, "a Deny wins over every Allow: narrow or remove that statement");
    } else {
        sf_hint(err, "add to a policy of the role: {Effect: Allow, Action: %s, Resource: \"%.*s%s\"}", action,
                SF_ARG(copier->bucket_arn), is_list ? "" : "/*");
    }
    return SF_E_DENIED;
}

static bool is_attached(const struct sf_postgres *pg, const struct sf_role_policies *role)
{
    const struct sf_value *roles = sf_map_getz(pg->attrs, "roles");
    for (size_t i = 0; roles && roles->type == SF_V_LIST && i < roles->list.n; i++) {
        const struct sf_value *attached = roles->list.items[i];
        if (attached->type == SF_V_STRING && (sf_str_eq(attached->s, role->arn) || sf_str_eq(attached->s, role->name))) {
            return true;
        }
    }
    return false;
}

/* The role of this copy as its files say now, found attached and trusting. */
static enum sf_code take_role(struct sf_op *op, const struct sf_postgres *pg, const struct sf_statement *copy,
                              struct sf_role_policies *role, struct sf_err *err)
{
    if (!copy->role) {
        sf_fail(err, SF_E_DENIED, "a load into cluster '%.*s' names no role", SF_ARG(pg->id));
        sf_hint(err, "give the load a `role` that is attached to the cluster");
        return SF_E_DENIED;
    }
    struct sf_str name = copy->role->id.n ? copy->role->id : sf_map_str(copy->role->attrs, "name");
    enum sf_code rc = sf_local_role_policies(op, name, role, err);
    if (rc == SF_E_ABSENT) {
        sf_fail(err, SF_E_DENIED, "role '%.*s', which the load uses, does not exist any more", SF_ARG(name));
        sf_hint(err, "sfapply makes it");
        return SF_E_DENIED;
    }
    if (!rc && !is_attached(pg, role)) {
        sf_fail(err, SF_E_DENIED, "role '%.*s' is not attached to cluster '%.*s'", SF_ARG(name), SF_ARG(pg->id));
        sf_hint(err, "add it to the cluster: `roles: [%.*s]`", SF_ARG(copy->role->name));
        return SF_E_DENIED;
    }
    return rc ? rc : sf_local_role_trusts(op, role, "redshift", err);
}

/* Whether the role may do all that COPY does. */
static enum sf_code check_role(struct sf_op *op, const struct sf_postgres *pg, const struct sf_statement *copy, struct sf_err *err)
{
    struct copier copier = {.context = sf_value_map(op->arena)};
    enum sf_code rc = take_role(op, pg, copy, &copier.role, err);
    if (rc) {
        return rc;
    }
    struct sf_str bucket = copy->bucket->id.n ? copy->bucket->id : sf_map_str(copy->bucket->attrs, "name");
    copier.bucket_arn = sf_str_fmt(op->arena, "arn:aws:s3:::%.*s", SF_ARG(bucket));
    sf_map_set_str(op->arena, copier.context, "aws:PrincipalArn", copier.role.arn);
    sf_map_set_str(op->arena, copier.context, "aws:PrincipalAccount", op->site->account);
    sf_map_set_bool(op->arena, copier.context, "aws:SecureTransport", true);
    copier.request = (struct sf_iam_request){
        .principal = sf_value_str(op->arena, copier.role.arn), .context = copier.context, .is_context_complete = true};
    copier.policies = (struct sf_iam_policies){.identity = copier.role.documents};
    for (size_t i = 0; !rc && i < copy->n_keys; i++) {
        rc = may_on_key(op, &copier, "s3:ListBucket", copy->keys[i], err);
        if (!rc) {
            rc = may_on_key(op, &copier, "s3:GetObject", copy->keys[i], err);
        }
    }
    return rc;
}

/* --- one object, unpacked --- */

struct unpacker {
    struct sf_reader reader;
    struct sf_str key;
    struct sf_gunzip gunzip;
};

static enum sf_code read_packed(void *from, void *bytes, size_t n, size_t *got, struct sf_err *err)
{
    struct unpacker *u = from;
    return u->reader.read(&u->reader, bytes, n, got, err);
}

static enum sf_code unpack(void *from, void *bytes, size_t n, size_t *got, struct sf_err *err)
{
    struct unpacker *u = from;
    enum sf_code rc = sf_gunzip_read(&u->gunzip, bytes, n, got, err);
    if (u->gunzip.trouble) {
        rc = sf_fail(err, SF_E_DATA, "object '%.*s' %s", SF_ARG(u->key), u->gunzip.trouble);
        sf_hint(err, "the upload puts it back: run sfapply again");
    }
    return rc;
}

static enum sf_code copy_object(struct sf_op *op, struct sf_pg *conn, const struct sf_statement *copy, struct sf_str key,
                                struct sf_err *err)
{
    struct unpacker u = {.key = key, .gunzip = {.source = read_packed, .from = &u}};
    struct sf_copy_coder coder = {.source = unpack, .from = &u, .types = copy->types};
    struct sf_str sql =
        sf_str_fmt(op->arena, "COPY %.*s (%.*s) FROM STDIN WITH (FORMAT %s%s)", SF_ARG(copy->table), SF_ARG(copy->columns),
                   copy->types ? "binary" : "csv, HEADER true", copy->freeze ? ", FREEZE true" : "");
    enum sf_code rc = op->site->world->bucket_open(op, copy->bucket, key, &u.reader, err);
    if (rc == SF_E_ABSENT) {
        rc = sf_fail(err, SF_E_DATA, "object '%.*s' is not in the bucket any more", SF_ARG(key));
        sf_hint(err, "the upload puts it back: run sfapply again");
    }
    if (rc) {
        return rc;
    }
    rc = copy->types ? sf_pg_copy_in(conn, sql, sf_copy_code, &coder, NULL, err) : sf_pg_copy_in(conn, sql, unpack, &u, NULL, err);
    sf_copy_coder_free(&coder);
    sf_gunzip_free(&u.gunzip);
    u.reader.close(&u.reader);
    if (rc) {
        sf_context(err, "while loading '%.*s'", SF_ARG(key));
    }
    return rc;
}

/* --- transactions --- */

static enum sf_code run_statement(struct sf_op *op, struct sf_pg *conn, const struct sf_statement *statement,
                                  const struct sf_value **rows, struct sf_err *err)
{
    enum sf_code rc = SF_OK;
    if (statement->what) {
        sf_op_progress(op, "%s", statement->what);
    }
    if (statement->sql.n) {
        return sf_pg_exec(conn, statement->sql, rows, err);
    }
    for (size_t i = 0; !rc && i < statement->n_keys; i++) {
        rc = copy_object(op, conn, statement, statement->keys[i], err);
    }
    return rc;
}

static enum sf_code transact(struct sf_op *op, struct sf_pg *conn, const struct sf_statement *statements, size_t n,
                             const struct sf_value **rows, size_t *failed, struct sf_err *err)
{
    const struct sf_value **results = SF_NEW_ARRAY(op->arena, n + 1, const struct sf_value *);
    enum sf_code rc = sf_pg_exec(conn, SF_STR("BEGIN"), NULL, err);
    if (rc == SF_E_UNKNOWN) {
        rc = sf_fail(err, SF_E_UNAVAILABLE, "lost the connection before the transaction began"); /* so nothing happened */
    }
    for (size_t i = 0; !rc && i < n; i++) {
        const struct sf_value *result = NULL;
        *failed = i;
        rc = run_statement(op, conn, &statements[i], statements[i].wants_rows ? &result : NULL, err);
        results[i] = result ? result : &sf_null_value;
        if (rc && statements[i].what) {
            sf_context(err, "%s", statements[i].what);
        }
    }
    if (rc) {
        return rc; /* closing the connection rolls back */
    }
    *failed = n;
    rc = sf_pg_commit(conn, err);
    if (!rc && rows) {
        *rows = sf_value_list(op->arena, results, n);
    }
    return rc;
}

/* What a connection asks and tells while it waits. */
struct client {
    struct sf_op *op;
    const atomic_bool *is_over; /* somebody else of the same staging failed; may be NULL */
};

static bool is_stopped(void *ctx)
{
    const struct client *client = ctx;
    return (client->is_over && atomic_load(client->is_over)) || sf_op_is_cancelled(client->op);
}

static void pass_warning(void *ctx, const char *message)
{
    const struct client *client = ctx;
    sf_op_warn(client->op, "%s", message);
}

/* As any client: TCP, the master user and his password. Somebody may have changed the password in the database, which nobody can
 * read back; it is put back as any drift is. */
static enum sf_code connect_as_client(struct client *client, const struct sf_postgres *pg, const struct sf_object *cluster,
                                      struct sf_pg **conn, struct sf_err *err)
{
    struct sf_op *op = client->op;
    const struct sf_value *password = sf_map_getz(cluster->attrs, "password");
    if (!password || password->type != SF_V_STRING) {
        sf_fail(err, SF_E_AUTH, "the password of cluster '%.*s' is needed to load, and this run does not have it", SF_ARG(pg->id));
        sf_hint(err, "give the variable that its `password` comes from, as in SF_VAR_name=...");
        return SF_E_AUTH;
    }
    struct sf_pg_target target = {
        .host = "127.0.0.1",
        .port = pg->port,
        .user = pg->username,
        .database = pg->database,
        .password = sf_str_dup(op->arena, password->s).p,
        .application_name = "sfstack load",
        .deadline_ms = op->deadline_ms > 0 ? op->deadline_ms : sf_clock_ms() + DEFAULT_WAIT_MS,
        .is_cancelled = is_stopped,
        .warn = pass_warning,
        .ctx = client,
    };
    enum sf_code rc = sf_pg_open(op->arena, &target, conn, err);
    if (rc == SF_E_AUTH) {
        struct sf_pg *control = NULL;
        rc = sf_postgres_connect(op, pg, pg->database, false, &control, err);
        if (!rc) {
            rc = sf_pg_set_password(control, pg->username, target.password, err);
        }
        sf_pg_close(control);
        if (!rc) {
            sf_op_warn(op, "the master user's password of cluster '%.*s' had been changed in the database; it is put back",
                       SF_ARG(pg->id));
            rc = sf_pg_open(op->arena, &target, conn, err);
        }
    }
    if (rc == SF_E_DENIED) {
        sf_hint(err, "the cluster's security groups do not admit this machine: add 127.0.0.1/32");
    }
    return rc;
}

/* --- staging: copies side by side --- */

/* What the connections of a staging share. */
struct staging {
    const struct sf_statement *copies;
    size_t n;
    atomic_size_t next;
    atomic_bool is_over;
    pthread_mutex_t mutex; /* guards what follows */
    enum sf_code rc;       /* of the first that failed */
    size_t failed;
    struct sf_err err;
};

/* One connection with the thread that feeds it; memory of its own, since arenas belong to one thread. */
struct stager {
    struct staging *staging;
    struct sf_op op;
    struct client client;
    struct sf_pg *conn;
    pthread_t thread;
};

static void stop_staging(struct staging *staging, enum sf_code rc, size_t failed, const struct sf_err *err)
{
    pthread_mutex_lock(&staging->mutex);
    if (!staging->rc) {
        staging->rc = rc;
        staging->failed = failed;
        staging->err = *err;
    }
    pthread_mutex_unlock(&staging->mutex);
    atomic_store(&staging->is_over, true);
}

static enum sf_code stage_one(struct stager *stager, const struct sf_statement *copy, struct sf_err *err)
{
    enum sf_code rc = SF_OK;
    for (size_t i = 0; !rc && i < copy->n_prepare; i++) {
        rc = sf_pg_exec(stager->conn, copy->prepare[i], NULL, err);
    }
    if (!rc) {
        rc = run_statement(&stager->op, stager->conn, copy, NULL, err);
    }
    if (rc && copy->what) {
        sf_context(err, "%s", copy->what);
    }
    return rc;
}

/* A transaction for a few copies: a commit waits for the disk, meanwhile the other connections go on. By itself the server would
 * write a small new table into the log page by page, packed, which costs more than copying it did; and it would leave all of its
 * pages to the commit. */
static void *stage_in_turn(void *arg)
{
    static const char begin[] = "BEGIN; SET LOCAL wal_skip_threshold = 0; SET LOCAL backend_flush_after = '1MB'";
    struct stager *stager = arg;
    struct staging *staging = stager->staging;
    struct sf_err err = {0};
    enum sf_code rc = SF_OK;
    size_t i = 0, n_open = 0;
    while (!rc && !atomic_load(&staging->is_over) && (i = atomic_fetch_add(&staging->next, 1)) < staging->n) {
        if (n_open == 0) {
            rc = sf_pg_exec(stager->conn, SF_STR(begin), NULL, &err);
        }
        if (!rc) {
            rc = stage_one(stager, &staging->copies[i], &err);
        }
        if (!rc && ++n_open == COPIES_A_COMMIT) {
            rc = sf_pg_commit(stager->conn, &err);
            n_open = 0;
        }
    }
    if (!rc && n_open > 0 && !atomic_load(&staging->is_over)) {
        rc = sf_pg_commit(stager->conn, &err);
    }
    if (rc) {
        stop_staging(staging, rc, i < staging->n ? i : 0, &err);
    }
    return NULL;
}

/* A connection a processor, for the server unpacks numbers as fast as one process can, and one more for those that wait for the
 * disk. */
static size_t count_stagers(size_t n_copies)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = processors < 1 ? 1 : processors >= MAX_CONNECTIONS ? MAX_CONNECTIONS : (size_t)processors + 1;
    return n < n_copies ? n : n_copies;
}

static enum sf_code stage_together(struct sf_op *op, const struct sf_postgres *pg, const struct sf_object *cluster,
                                   struct staging *staging, struct sf_err *err)
{
    struct stager stagers[MAX_CONNECTIONS] = {0};
    size_t n = 0, n_running = 0, wanted = count_stagers(staging->n);
    enum sf_code rc = SF_OK;
    for (; !rc && n < wanted; n++) {
        struct stager *s = &stagers[n];
        s->staging = staging;
        s->op = *op;
        s->op.arena = sf_arena_new();
        s->client = (struct client){&s->op, &staging->is_over};
        rc = connect_as_client(&s->client, pg, cluster, &s->conn, err);
    }
    if (rc == SF_E_THROTTLED && n > 1) {
        rc = SF_OK; /* no connection more is to be had: those that are open do */
    }
    for (size_t i = 0; !rc && i < n; i++) {
        /* the last runs here, and so does any that gets no thread */
        if (stagers[i].conn && i + 1 < n && pthread_create(&stagers[i].thread, NULL, stage_in_turn, &stagers[i]) == 0) {
            n_running++;
            continue;
        }
        for (size_t k = i; k < n; k++) {
            if (stagers[k].conn) {
                stage_in_turn(&stagers[k]);
            }
        }
        break;
    }
    for (size_t i = 0; i < n_running; i++) {
        pthread_join(stagers[i].thread, NULL);
    }
    for (size_t i = 0; i < n; i++) {
        sf_pg_close(stagers[i].conn);
        sf_arena_free_wiped(stagers[i].op.arena);
    }
    return rc;
}

enum sf_code sf_local_warehouse_stage(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *copies,
                                      size_t n, size_t *failed, struct sf_err *err)
{
    struct sf_postgres pg;
    struct staging staging = {.copies = copies, .n = n};
    *failed = 0;
    enum sf_code rc = load_cluster(op, cluster, &pg, err);
    for (size_t i = 0; !rc && i < n; i++) {
        *failed = i;
        rc = copies[i].sql.n ? SF_OK : check_role(op, &pg, &copies[i], err);
    }
    if (rc || n == 0) {
        return rc;
    }
    pthread_mutex_init(&staging.mutex, NULL);
    *failed = 0;
    rc = stage_together(op, &pg, cluster, &staging, err);
    if (!rc && staging.rc) {
        rc = staging.rc;
        *failed = staging.failed;
        if (err) {
            *err = staging.err;
        }
    }
    pthread_mutex_destroy(&staging.mutex);
    rc = sf_postgres_blame(op, &pg, rc, err);
    if (rc == SF_E_UNKNOWN) { /* whether some table was staged matters to nobody */
        rc = SF_E_UNAVAILABLE;
        if (err) {
            err->code = rc;
        }
    }
    return rc;
}

/* --- the calls --- */

enum sf_code sf_local_warehouse_query(struct sf_op *op, const struct sf_object *cluster, struct sf_str sql,
                                      const struct sf_value **rows, struct sf_err *err)
{
    struct sf_postgres pg;
    struct sf_pg *conn = NULL;
    enum sf_code rc = load_cluster(op, cluster, &pg, err);
    if (!rc) {
        rc = sf_postgres_connect(op, &pg, pg.database, true, &conn, err);
    }
    if (rc) {
        return rc;
    }
    rc = sf_pg_exec(conn, sql, rows, err);
    if (rc == SF_E_UNKNOWN) {
        rc = SF_E_UNAVAILABLE; /* a lost reader changed nothing */
        if (err) {
            err->code = rc;
        }
    }
    rc = sf_postgres_blame(op, &pg, rc, err);
    sf_pg_close(conn);
    return rc;
}

/* A person's statement may be cut off without harm: it changes nothing. */
static enum sf_code as_reader_failed(enum sf_code rc, struct sf_err *err)
{
    if (rc == SF_E_UNKNOWN) {
        rc = SF_E_UNAVAILABLE;
    }
    if (rc == SF_E_REFUSED && err && strcmp(err->remote_code, "25006") == 0) {
        sf_hint(err, "this only reads; what the tables hold is the load's business");
    }
    if (rc == SF_E_REFUSED && err && strcmp(err->remote_code, "42601") == 0 && strstr(err->message, "multiple commands")) {
        sf_hint(err, "one statement at a time");
    }
    if (rc == SF_E_DENIED && err && strcmp(err->remote_code, "28000") == 0) {
        sf_hint(err, "the cluster's security groups do not admit this machine: add 127.0.0.1/32");
    }
    if (err) {
        err->code = rc;
    }
    return rc;
}

enum sf_code sf_local_warehouse_ask(struct sf_op *op, const struct sf_object *cluster, struct sf_str user, struct sf_str password,
                                    struct sf_str sql, struct sf_answer *out, struct sf_err *err)
{
    struct sf_postgres pg;
    struct sf_pg *conn = NULL;
    struct client client = {op, NULL};
    enum sf_code rc = load_cluster(op, cluster, &pg, err);
    if (rc) {
        return rc;
    }
    struct sf_pg_target target = {
        .host = "127.0.0.1",
        .port = pg.port,
        .user = sf_str_dup(op->arena, user).p,
        .database = pg.database,
        .password = sf_str_dup(op->arena, password).p,
        .application_name = "sfstack query",
        .is_read_only = true,
        .deadline_ms = op->deadline_ms > 0 ? op->deadline_ms : sf_clock_ms() + DEFAULT_WAIT_MS,
        .is_cancelled = is_stopped,
        .ctx = &client,
    };
    rc = sf_pg_open(op->arena, &target, &conn, err);
    if (!rc) {
        rc = sf_pg_ask(conn, sql, &out->columns, &out->rows, err);
    }
    if (rc) {
        rc = sf_postgres_blame(op, &pg, as_reader_failed(rc, err), err);
    }
    sf_pg_close(conn);
    return rc;
}

enum sf_code sf_local_warehouse_run(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *statements,
                                    size_t n, const struct sf_value **rows, size_t *failed, struct sf_err *err)
{
    struct sf_postgres pg;
    struct sf_pg *conn = NULL;
    struct client client = {op, NULL};
    *failed = 0;
    if (n > MAX_STATEMENTS) {
        return sf_fail(err, SF_E_INTERNAL, "a warehouse transaction of %zu statements is over the limit of %d", n, MAX_STATEMENTS);
    }
    enum sf_code rc = load_cluster(op, cluster, &pg, err);
    for (size_t i = 0; !rc && i < n; i++) {
        if (!statements[i].sql.n) {
            *failed = i;
            rc = check_role(op, &pg, &statements[i], err);
        }
    }
    if (!rc) {
        *failed = 0;
        rc = connect_as_client(&client, &pg, cluster, &conn, err);
    }
    if (!rc) {
        rc = sf_postgres_blame(op, &pg, transact(op, conn, statements, n, rows, failed, err), err);
    }
    sf_pg_close(conn);
    return rc;
}

enum sf_code sf_local_warehouse_control(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *statements,
                                        size_t n, const struct sf_value **rows, size_t *failed, struct sf_err *err)
{
    struct sf_postgres pg;
    struct sf_pg *conn = NULL;
    *failed = 0;
    for (size_t i = 0; i < n; i++) {
        if (!statements[i].sql.n) {
            return sf_fail(err, SF_E_INTERNAL, "engine control was asked to copy");
        }
    }
    enum sf_code rc = load_cluster(op, cluster, &pg, err);
    if (!rc) {
        rc = sf_postgres_connect(op, &pg, pg.database, false, &conn, err);
    }
    if (!rc) {
        rc = sf_postgres_blame(op, &pg, transact(op, conn, statements, n, rows, failed, err), err);
    }
    sf_pg_close(conn);
    return rc;
}
