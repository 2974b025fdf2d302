/* libpq transport (pg.h). The one place that waits is wait_for(): all calls go through it, so deadline and cancellation hold
 * for connecting, queries and copies alike. */
#include "resources/net/pg.h"

#include "engine/core/clock.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    WAKE_MS = 200,   /* how often a wait looks at is_cancelled */
    GRACE_MS = 2000, /* for the server's own answer to a timeout or cancel */
    SLACK_MS = 100,  /* between its clock and ours */
    COPY_CHUNK_BYTES = 256 * 1024,
    MAX_SQL_BYTES = 64 * 1024 * 1024,
    MAX_ANSWER_BYTES = 64 * 1024 * 1024,
};

struct sf_pg {
    PGconn *conn;
    struct sf_arena *arena;
    struct sf_pg_target target;
    bool was_stopped;       /* we asked the server to stop: since the caller wishes it, or since it is late */
    bool was_cancelled;     /* the caller wished it: 57014 is its own */
    int64_t until_ms;       /* of one that was asked to stop: how long its last word is waited for */
    bool is_committing;     /* a lost connection leaves the outcome open */
    bool is_in_transaction; /* as of when the running statement was sent */
};

extern char **environ;

void sf_pg_forget_environment(void)
{
    size_t i = 0;
    while (environ && environ[i]) {
        const char *entry = environ[i];
        size_t n = strcspn(entry, "=");
        char name[64];
        if (strncmp(entry, "PG", 2) != 0 || n >= sizeof name) {
            i++;
            continue;
        }
        memcpy(name, entry, n);
        name[n] = '\0';
        if (unsetenv(name) != 0) {
            i++;
        }
    }
}

enum sf_code sf_pg_code_of(const char *sqlstate)
{
    static const struct {
        const char *prefix; /* first match wins */
        enum sf_code code;
    } codes[] = {
        {"28P01", SF_E_AUTH},        {"28000", SF_E_DENIED},    {"42501", SF_E_DENIED},      {"3D000", SF_E_ABSENT},
        {"53100", SF_E_IO},          {"58030", SF_E_IO},        {"53300", SF_E_THROTTLED},   {"40001", SF_E_THROTTLED},
        {"40P01", SF_E_THROTTLED},   {"55P03", SF_E_THROTTLED}, {"57P01", SF_E_UNAVAILABLE}, {"57P02", SF_E_UNAVAILABLE},
        {"57P03", SF_E_UNAVAILABLE}, {"08", SF_E_UNAVAILABLE},
    };
    for (size_t i = 0; sqlstate && i < SF_COUNT(codes); i++) {
        if (strncmp(sqlstate, codes[i].prefix, strlen(codes[i].prefix)) == 0) {
            return codes[i].code;
        }
    }
    return SF_E_REFUSED;
}

/* The connection is gone, or we give up on it. */
static enum sf_code fail_lost(struct sf_pg *pg, const char *why, struct sf_err *err)
{
    enum sf_code code = SF_E_UNAVAILABLE;
    const char *consequence = "nothing was changed";
    if (pg->is_committing || !pg->is_in_transaction) {
        code = SF_E_UNKNOWN;
        consequence = "whether the last statement took effect is not known";
    }
    sf_fail(err, code, "lost the connection to database '%s' at %s port %d (%s); %s", pg->target.database, pg->target.host,
            pg->target.port, why, consequence);
    sf_hint(err, "see the server's log, then run again: what is unfinished is finished then");
    return code;
}

/* First line of libpq's own text: it ends in a line break and may go on with advice for people at psql. */
static struct sf_str first_line(const char *text)
{
    return (struct sf_str){text, strcspn(text, "\n")};
}

/* Waits until the socket is ready. SF_E_UNKNOWN stands for "time is over", SF_E_CANCELLED for "asked to stop"; no error is filled.
 */
static enum sf_code wait_for(const struct sf_pg *pg, short events, int64_t until_ms)
{
    for (;;) {
        if (!pg->was_stopped && pg->target.is_cancelled && pg->target.is_cancelled(pg->target.ctx)) {
            return SF_E_CANCELLED;
        }
        int64_t left = until_ms - sf_clock_ms();
        if (left <= 0) {
            return SF_E_UNKNOWN;
        }
        struct pollfd fd = {.fd = PQsocket(pg->conn), .events = events};
        int n = poll(&fd, 1, (int)(left < WAKE_MS ? left : WAKE_MS));
        if (n > 0 || (n < 0 && errno != EINTR)) {
            return SF_OK; /* an error shows itself in the libpq call that follows */
        }
    }
}

static void take_notice(void *arg, const PGresult *result)
{
    struct sf_pg *pg = arg;
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (pg->target.warn && severity && text && strcmp(severity, "WARNING") == 0) {
        pg->target.warn(pg->target.ctx, text);
    }
}

/* libpq gives no SQLSTATE for a failed connect, but in verbose errors it is the first word: "FATAL:  28P01: password ...". */
static enum sf_code fail_connect(struct sf_pg *pg, struct sf_err *err)
{
    const char *text = PQerrorMessage(pg->conn);
    const char *severity = strstr(text, "FATAL:  ");
    if (!severity) {
        struct sf_str line = first_line(text);
        sf_fail(err, SF_E_UNAVAILABLE, "cannot connect to database '%s' at %s port %d: %.*s", pg->target.database, pg->target.host,
                pg->target.port, SF_ARG(line));
        return SF_E_UNAVAILABLE;
    }
    char state[6] = "";
    const char *message = severity + strlen("FATAL:  ");
    if (strspn(message, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && message[5] == ':') {
        memcpy(state, message, 5);
        message += 5 + strspn(message + 5, ": ");
    }
    struct sf_str line = first_line(message);
    enum sf_code code = sf_pg_code_of(state);
    sf_fail(err, code, "database '%s' at %s port %d refused user '%s': %.*s", pg->target.database, pg->target.host, pg->target.port,
            pg->target.user, SF_ARG(line));
    if (err) {
        memcpy(err->remote_code, state, sizeof state);
    }
    return code;
}

static PGconn *start_connect(const struct sf_pg_target *target, struct sf_arena *arena)
{
    /* A numeric address goes to hostaddr, or libpq would block in name resolution. */
    bool is_numeric = target->host[0] != '/' && strspn(target->host, "0123456789abcdefABCDEF.:") == strlen(target->host);
    int64_t left = target->deadline_ms - sf_clock_ms();
    struct sf_str timeout = sf_str_fmt(arena, "%lld", (long long)(left < 1000 ? 1000 : left));
    struct sf_str options =
        sf_str_fmt(arena,
                   "-c statement_timeout=%s -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c datestyle=ISO,YMD "
                   "-c intervalstyle=postgres -c timezone=UTC -c extra_float_digits=1 -c bytea_output=hex "
                   "-c standard_conforming_strings=on -c default_transaction_read_only=%s",
                   timeout.p, target->is_read_only ? "on" : "off");
    struct sf_str port = sf_str_fmt(arena, "%d", target->port);
    const char *const names[] = {"host",
                                 is_numeric ? "hostaddr" : "port",
                                 "port",
                                 "dbname",
                                 "user",
                                 "password",
                                 "passfile",
                                 "application_name",
                                 "client_encoding",
                                 "sslmode",
                                 "gssencmode",
                                 "channel_binding",
                                 "options",
                                 "connect_timeout",
                                 "keepalives",
                                 "keepalives_idle",
                                 "keepalives_interval",
                                 "keepalives_count",
                                 "target_session_attrs",
                                 "sslcert",
                                 "sslkey",
                                 "sslcrl",
                                 target->ssl_root_cert ? "sslrootcert" : NULL,
                                 NULL};
    const char *const values[] = {target->host,
                                  is_numeric ? target->host : port.p,
                                  port.p,
                                  target->database,
                                  target->user,
                                  target->password,
                                  "/nonexistent/pgpass",
                                  target->application_name ? target->application_name : "sfstack",
                                  "UTF8",
                                  target->ssl_mode ? target->ssl_mode : "disable",
                                  "disable",
                                  "prefer",
                                  target->setup ? NULL : options.p,
                                  "30",
                                  "1",
                                  "30",
                                  "10",
                                  "3",
                                  "any",
                                  "/nonexistent/postgresql.crt", /* or files in ~/.postgresql would steer */
                                  "/nonexistent/postgresql.key",
                                  "/nonexistent/root.crl",
                                  target->ssl_root_cert,
                                  NULL};
    return PQconnectStartParams(names, values, 0);
}

enum sf_code sf_pg_open(struct sf_arena *arena, const struct sf_pg_target *target, struct sf_pg **out, struct sf_err *err)
{
    struct sf_pg *pg = SF_NEW(arena, struct sf_pg);
    *pg = (struct sf_pg){.arena = arena, .target = *target, .conn = start_connect(target, arena)};
    if (!pg->conn) {
        sf_out_of_memory();
    }
    PQsetErrorVerbosity(pg->conn, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(pg->conn, take_notice, pg);
    enum sf_code rc = SF_OK;
    int64_t until_ms = target->deadline_ms;
    if (target->connect_ms && sf_clock_ms() + target->connect_ms < until_ms) {
        until_ms = sf_clock_ms() + target->connect_ms;
    }
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    if (PQstatus(pg->conn) == CONNECTION_BAD) {
        state = PGRES_POLLING_FAILED;
    }
    while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
        rc = wait_for(pg, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, until_ms);
        if (rc) {
            break;
        }
        state = PQconnectPoll(pg->conn);
    }
    if (rc == SF_E_CANCELLED) {
        sf_fail(err, rc, "stopped while connecting to database '%s'", target->database);
    } else if (rc) {
        rc = SF_E_UNAVAILABLE;
        sf_fail(err, rc, "database '%s' at %s port %d did not answer in time", target->database, target->host, target->port);
    } else if (state == PGRES_POLLING_FAILED) {
        rc = fail_connect(pg, err);
    } else if (PQsetnonblocking(pg->conn, 1) != 0) {
        rc = fail_lost(pg, "cannot be made non-blocking", err);
    } else if (target->setup) {
        rc = sf_pg_exec(pg, sf_str_of(target->setup), NULL, err);
        if (rc == SF_E_UNKNOWN) {
            rc = sf_fail(err, SF_E_UNAVAILABLE, "lost the connection to database '%s' as soon as it was made", target->database);
        }
    }
    if (rc) {
        sf_pg_close(pg);
        return rc;
    }
    *out = pg;
    return SF_OK;
}

void sf_pg_close(struct sf_pg *pg)
{
    if (pg && pg->conn) {
        PQfinish(pg->conn);
        pg->conn = NULL;
    }
}

static void *send_stop(void *cancel)
{
    char text[256];
    (void)PQcancel(cancel, text, (int)sizeof text);
    PQfreeCancel(cancel);
    return NULL;
}

/* PQcancel() connects by itself and blocks, for minutes if nobody answers: a thread of its own can be left to it. */
static void ask_to_stop(struct sf_pg *pg)
{
    pthread_t thread;
    struct timespec until;
    PGcancel *cancel = PQgetCancel(pg->conn);
    pg->was_stopped = true;
    pg->until_ms = sf_clock_ms() + GRACE_MS;
    if (!cancel) {
        return;
    }
    if (pthread_create(&thread, NULL, send_stop, cancel) != 0) {
        PQfreeCancel(cancel);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += GRACE_MS / 1000;
    if (pthread_timedjoin_np(thread, NULL, &until) != 0) {
        pthread_detach(thread);
    }
    pg->until_ms = sf_clock_ms() + GRACE_MS;
}

/* Waits for `events`. Past the deadline, when the server's own statement_timeout should have ended it, or when the caller asks to
 * stop, the server is told so and has a last grace. */
static enum sf_code wait_io(struct sf_pg *pg, short events, struct sf_err *err)
{
    int64_t late_ms = pg->target.deadline_ms + GRACE_MS / 2;
    enum sf_code rc = wait_for(pg, events, pg->was_stopped ? pg->until_ms : late_ms);
    if (rc && !pg->was_stopped) {
        pg->was_cancelled = rc == SF_E_CANCELLED;
        ask_to_stop(pg);
        rc = wait_for(pg, events, pg->until_ms);
    }
    return rc ? fail_lost(pg, "it does not answer in time", err) : SF_OK;
}

/* Sends what is buffered, reading meanwhile so that neither side waits for the other. */
static enum sf_code flush(struct sf_pg *pg, struct sf_err *err)
{
    for (;;) {
        int left = PQflush(pg->conn);
        if (left == 0) {
            return SF_OK;
        }
        if (left < 0) {
            struct sf_str line = first_line(PQerrorMessage(pg->conn));
            return fail_lost(pg, sf_str_dup(pg->arena, line).p, err);
        }
        enum sf_code rc = wait_io(pg, POLLIN | POLLOUT, err);
        if (rc) {
            return rc;
        }
        if (!PQconsumeInput(pg->conn)) {
            return fail_lost(pg, "closed by the server", err);
        }
    }
}

/* The next result; NULL when the statement is through. */
static enum sf_code next_result(struct sf_pg *pg, PGresult **result, struct sf_err *err)
{
    while (PQisBusy(pg->conn)) {
        enum sf_code rc = wait_io(pg, POLLIN, err);
        if (rc) {
            return rc;
        }
        if (!PQconsumeInput(pg->conn)) {
            struct sf_str line = first_line(PQerrorMessage(pg->conn));
            return fail_lost(pg, sf_str_dup(pg->arena, line).p, err);
        }
    }
    *result = PQgetResult(pg->conn);
    return SF_OK;
}

static enum sf_code fail_result(struct sf_pg *pg, const PGresult *result, struct sf_err *err)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *where = PQresultErrorField(result, PG_DIAG_CONTEXT);
    const char *advice = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    if (!state || PQstatus(pg->conn) == CONNECTION_BAD) {
        struct sf_str line = first_line(text ? text : PQresultErrorMessage(result));
        return fail_lost(pg, sf_str_dup(pg->arena, line).p, err);
    }
    struct sf_str context = first_line(where ? where : "");
    enum sf_code code = sf_pg_code_of(state);
    bool is_timeout = strcmp(state, "57014") == 0;
    if (is_timeout && pg->was_cancelled) {
        code = SF_E_CANCELLED;
    } else if (strcmp(state, "XX000") == 0 && text && strncmp(text, "tuple concurrently ", 19) == 0) {
        code = SF_E_THROTTLED; /* two sessions changed one row of the catalog, as ALTER DATABASE does: once more will do */
    } else if (code == SF_E_UNAVAILABLE) {
        return fail_lost(pg, sf_str_dup(pg->arena, sf_str_of(text ? text : "shut down")).p, err);
    }
    sf_fail(err, code, "%s%s%s%s%.*s%s", text ? text : "unspecified error", detail ? ": " : "", detail ? detail : "",
            context.n ? " (" : "", SF_ARG(context), context.n ? ")" : "");
    if (advice) {
        sf_hint(err, "%s", advice);
    } else if (code == SF_E_IO) {
        sf_hint(err, "free space where the database lies, then run again: nothing of this was kept");
    } else if (is_timeout && code == SF_E_REFUSED && sf_clock_ms() + SLACK_MS >= pg->target.deadline_ms) {
        sf_hint(err, "it took longer than this resource's time limit: raise it with 'timeouts'");
    }
    if (err) {
        snprintf(err->remote_code, sizeof err->remote_code, "%s", state);
    }
    return code;
}

static const struct sf_value *rows_of(struct sf_arena *arena, const PGresult *result)
{
    int n = PQntuples(result), width = PQnfields(result);
    const struct sf_value **rows = SF_NEW_ARRAY(arena, (size_t)n, const struct sf_value *);
    for (int i = 0; i < n; i++) {
        const struct sf_value **cells = SF_NEW_ARRAY(arena, (size_t)width, const struct sf_value *);
        for (int k = 0; k < width; k++) {
            struct sf_str text = {PQgetvalue(result, i, k), (size_t)PQgetlength(result, i, k)};
            cells[k] = PQgetisnull(result, i, k) ? &sf_null_value : sf_value_str(arena, text);
        }
        rows[i] = sf_value_list(arena, cells, (size_t)width);
    }
    return sf_value_list(arena, rows, (size_t)n);
}

static void note_transaction(struct sf_pg *pg)
{
    PGTransactionStatusType status = PQtransactionStatus(pg->conn);
    pg->is_in_transaction = status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

static enum sf_code send_statement(struct sf_pg *pg, struct sf_str sql, struct sf_err *err)
{
    if (sql.n > MAX_SQL_BYTES || memchr(sql.n ? sql.p : "", '\0', sql.n)) {
        return sf_fail(err, SF_E_INTERNAL, "a statement of %zu bytes is too long or holds a NUL", sql.n);
    }
    note_transaction(pg);
    struct sf_str text = sf_str_dup(pg->arena, sql);
    if (!PQsendQuery(pg->conn, text.p)) {
        struct sf_str line = first_line(PQerrorMessage(pg->conn));
        return fail_lost(pg, sf_str_dup(pg->arena, line).p, err);
    }
    return flush(pg, err);
}

/* Reads all results of the running statement: the first error wins, else the last result's rows and tag count. */
static enum sf_code collect(struct sf_pg *pg, const struct sf_value **rows, char *tag, size_t tag_size, struct sf_err *err)
{
    enum sf_code outcome = SF_OK;
    for (;;) {
        PGresult *result = NULL;
        enum sf_code rc = next_result(pg, &result, err);
        if (rc || !result) {
            return rc ? rc : outcome;
        }
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY) {
            if (rows && !outcome) {
                *rows = rows_of(pg->arena, result);
            }
            if (tag) {
                snprintf(tag, tag_size, "%s", PQcmdStatus(result));
            }
        } else if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
            PQclear(result);
            return sf_fail(err, SF_E_INTERNAL, "a COPY was sent as an ordinary statement"); /* the caller closes */
        } else if (!outcome) {
            outcome = fail_result(pg, result, err);
        }
        PQclear(result);
    }
}

enum sf_code sf_pg_exec(struct sf_pg *pg, struct sf_str sql, const struct sf_value **rows, struct sf_err *err)
{
    enum sf_code rc = send_statement(pg, sql, err);
    return rc ? rc : collect(pg, rows, NULL, 0, err);
}

static bool is_number(Oid type)
{
    static const Oid numbers[] = {20, 21, 23, 26, 700, 701, 1700}; /* pg_type.dat: int8, int2, int4, oid, float4, float8, numeric */
    for (size_t i = 0; i < SF_COUNT(numbers); i++) {
        if (numbers[i] == type) {
            return true;
        }
    }
    return false;
}

static const struct sf_value *columns_of(struct sf_arena *arena, const PGresult *result)
{
    int width = PQnfields(result);
    const struct sf_value **columns = SF_NEW_ARRAY(arena, (size_t)width + 1, const struct sf_value *);
    for (int k = 0; k < width; k++) {
        struct sf_value *column = sf_value_map(arena);
        sf_map_set_str(arena, column, "name", sf_str_dup(arena, sf_str_of(PQfname(result, k))));
        sf_map_set_bool(arena, column, "is_number", is_number(PQftype(result, k)));
        columns[k] = column;
    }
    return sf_value_list(arena, columns, (size_t)width);
}

/* A growing list of rows. */
struct table {
    const struct sf_value **rows;
    size_t n, room, bytes;
};

static enum sf_code add_row(struct sf_pg *pg, const PGresult *result, struct table *table, struct sf_err *err)
{
    for (int k = 0; k < PQnfields(result); k++) {
        table->bytes += (size_t)PQgetlength(result, 0, k) + sizeof(struct sf_value);
    }
    if (table->bytes > MAX_ANSWER_BYTES) {
        sf_fail(err, SF_E_REFUSED, "the answer is too large to be held here: over %d MiB after %zu rows", MAX_ANSWER_BYTES >> 20,
                table->n);
        sf_hint(err, "add up or narrow it down in the statement, or export it with psql's \\copy");
        return SF_E_REFUSED;
    }
    if (table->n == table->room) {
        size_t room = table->room ? table->room * 2 : 64;
        const struct sf_value **more = SF_NEW_ARRAY(pg->arena, room, const struct sf_value *);
        if (table->n) {
            memcpy(more, table->rows, table->n * sizeof *more);
        }
        table->rows = more;
        table->room = room;
    }
    table->rows[table->n++] = rows_of(pg->arena, result)->list.items[0];
    return SF_OK;
}

static enum sf_code take_part(struct sf_pg *pg, const PGresult *result, struct table *table, const struct sf_value **columns,
                              struct sf_err *err)
{
    switch (PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
    case PGRES_TUPLES_OK: /* after the last row, or when there is none */
        if (!*columns) {
            *columns = columns_of(pg->arena, result);
        }
        return PQntuples(result) == 1 ? add_row(pg, result, table, err) : SF_OK;
    case PGRES_EMPTY_QUERY:
        return sf_fail(err, SF_E_REFUSED, "the statement is empty");
    case PGRES_COMMAND_OK:
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        return sf_fail(err, SF_E_REFUSED, "this statement gives no table");
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_FATAL_ERROR:
    case PGRES_PIPELINE_SYNC:
    case PGRES_PIPELINE_ABORTED:
        break;
    }
    return fail_result(pg, result, err);
}

enum sf_code sf_pg_ask(struct sf_pg *pg, struct sf_str sql, const struct sf_value **columns, const struct sf_value **rows,
                       struct sf_err *err)
{
    struct table table = {0};
    *columns = NULL;
    if (sql.n > MAX_SQL_BYTES || memchr(sql.n ? sql.p : "", '\0', sql.n)) {
        return sf_fail(err, SF_E_REFUSED, "a statement of %zu bytes is too long or holds a NUL", sql.n);
    }
    note_transaction(pg);
    /* the extended protocol takes exactly one statement */
    if (!PQsendQueryParams(pg->conn, sf_str_dup(pg->arena, sql).p, 0, NULL, NULL, NULL, NULL, 0) || !PQsetSingleRowMode(pg->conn)) {
        return fail_lost(pg, sf_str_dup(pg->arena, first_line(PQerrorMessage(pg->conn))).p, err);
    }
    enum sf_code rc = flush(pg, err);
    while (!rc) {
        PGresult *result = NULL;
        rc = next_result(pg, &result, err);
        if (rc || !result) {
            break;
        }
        rc = take_part(pg, result, &table, columns, err);
        PQclear(result);
    }
    if (rc) {
        ask_to_stop(pg); /* it may have a long way to go */
        return rc;
    }
    *rows = sf_value_list(pg->arena, table.rows, table.n);
    return SF_OK;
}

enum sf_code sf_pg_execf(struct sf_pg *pg, struct sf_err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct sf_str sql = sf_str_vfmt(pg->arena, fmt, ap);
    va_end(ap);
    return sf_pg_exec(pg, sql, NULL, err);
}

enum sf_code sf_pg_commit(struct sf_pg *pg, struct sf_err *err)
{
    char tag[64] = "";
    pg->is_committing = true;
    enum sf_code rc = send_statement(pg, SF_STR("COMMIT"), err);
    if (!rc) {
        rc = collect(pg, NULL, tag, sizeof tag, err);
    }
    pg->is_committing = false;
    if (!rc && strcmp(tag, "COMMIT") != 0) {
        return sf_fail(err, SF_E_REFUSED, "the transaction was rolled back by the server");
    }
    return rc;
}

/* Feeds the copy to its end. On failure of the source the server is told so, and rolls the statement back. */
static enum sf_code feed(struct sf_pg *pg, sf_pg_source_fn *source, void *from, struct sf_err *err)
{
    char *chunk = sf_arena_alloc(pg->arena, COPY_CHUNK_BYTES);
    for (;;) {
        size_t got = 0;
        enum sf_code rc = source(from, chunk, COPY_CHUNK_BYTES, &got, err);
        if (rc || got == 0) {
            int sent;
            struct sf_err ignored;
            while ((sent = PQputCopyEnd(pg->conn, rc ? "the source failed" : NULL)) == 0) {
                enum sf_code waited = flush(pg, rc ? &ignored : err);
                if (waited) {
                    return rc ? rc : waited;
                }
            }
            if (rc) {
                (void)flush(pg, &ignored);
                return rc;
            }
            return sent < 0 ? SF_OK : flush(pg, err);
        }
        int sent;
        while ((sent = PQputCopyData(pg->conn, chunk, (int)got)) == 0) {
            rc = flush(pg, err);
            if (rc) {
                return rc;
            }
        }
        if (sent < 0) {
            return SF_OK; /* the server has already refused the copy: its reason is the result that follows */
        }
        rc = flush(pg, err); /* keeps what is buffered to one chunk */
        if (rc) {
            return rc;
        }
    }
}

enum sf_code sf_pg_copy_in(struct sf_pg *pg, struct sf_str sql, sf_pg_source_fn *source, void *from, int64_t *n_rows,
                           struct sf_err *err)
{
    enum sf_code rc = send_statement(pg, sql, err);
    if (rc) {
        return rc;
    }
    PGresult *result = NULL;
    rc = next_result(pg, &result, err);
    if (rc) {
        return rc;
    }
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COPY_IN) {
        rc = status == PGRES_FATAL_ERROR ? fail_result(pg, result, err)
                                         : sf_fail(err, SF_E_INTERNAL, "a copy-in statement did not start a copy");
        PQclear(result);
        struct sf_err ignored;
        enum sf_code drained = collect(pg, NULL, NULL, 0, &ignored);
        (void)drained;
        return rc;
    }
    PQclear(result);
    char tag[64] = "";
    enum sf_code fed = feed(pg, source, from, err);
    if (fed == SF_E_UNAVAILABLE || fed == SF_E_UNKNOWN) {
        return fed; /* the connection itself, or a source that is as good as gone: the caller closes */
    }
    struct sf_err reply = {0};
    rc = collect(pg, NULL, tag, sizeof tag, &reply);
    if (fed) {
        return fed;
    }
    if (rc) {
        if (err) {
            *err = reply;
        }
        return rc;
    }
    struct sf_str count = sf_str_of(tag);
    if (n_rows && (!sf_str_starts(count, SF_STR("COPY ")) || !sf_str_int64(sf_str_slice(count, 5, count.n), n_rows))) {
        return sf_fail(err, SF_E_INTERNAL, "the server answered a copy with '%s'", tag);
    }
    return SF_OK;
}

enum sf_code sf_pg_set_password(struct sf_pg *pg, const char *role, const char *password, struct sf_err *err)
{
    char *verifier = PQencryptPasswordConn(pg->conn, password, role, "scram-sha-256");
    if (!verifier) {
        return sf_fail(err, SF_E_REFUSED, "cannot make a SCRAM verifier for the password of '%s'", role);
    }
    struct sf_str quoted = sf_pg_literal(pg->arena, sf_str_of(verifier));
    struct sf_str name = sf_pg_ident(pg->arena, sf_str_of(role));
    PQfreemem(verifier);
    enum sf_code rc = sf_pg_execf(pg, err, "ALTER ROLE %s PASSWORD %s", name.p, quoted.p);
    if (rc) {
        sf_context(err, "while setting the password of '%s'", role);
    }
    return rc;
}

static struct sf_str quoted(struct sf_arena *arena, struct sf_str text, char quote, bool escapes)
{
    char *p = sf_arena_alloc(arena, 2 * text.n + 4);
    size_t n = 0;
    bool has_backslash = escapes && text.n && memchr(text.p, '\\', text.n);
    if (has_backslash) {
        p[n++] = 'E';
    }
    p[n++] = quote;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == quote || (has_backslash && text.p[i] == '\\')) {
            p[n++] = text.p[i];
        }
        p[n++] = text.p[i];
    }
    p[n++] = quote;
    p[n] = '\0';
    return (struct sf_str){p, n};
}

struct sf_str sf_pg_ident(struct sf_arena *arena, struct sf_str name)
{
    return quoted(arena, name, '"', false);
}

struct sf_str sf_pg_literal(struct sf_arena *arena, struct sf_str text)
{
    return quoted(arena, text, '\'', true);
}
