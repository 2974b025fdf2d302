/* A thin transport over libpq: connect, run statements, copy in, each under a deadline.
 *
 * Every connection parameter is explicit, so neither PG* variables nor a service file nor ~/.pgpass ever steers a load. The
 * connection runs non-blocking inside; calls here return when they are done, when the deadline passes or when the caller asks to
 * stop: then the server is told to stop, too, and its answer says what came of it. Errors carry the server's own text (message,
 * detail, where) and the SQLSTATE in err->remote_code, never the statement: it may hold a password. A handle belongs to one thread.
 * Knows nothing of worlds, clusters or SQL dialects. */
#ifndef SF_NET_PG_H
#define SF_NET_PG_H

#include "engine/core/value.h"

struct sf_pg;

struct sf_pg_target {
    const char *host;             /* a directory (unix socket), a numeric address, or a host name */
    int port;                     /* also part of the socket's file name */
    const char *user;             /* */
    const char *database;         /* */
    const char *password;         /* NULL: none is offered (peer authentication) */
    const char *ssl_mode;         /* NULL: "disable" */
    const char *ssl_root_cert;    /* NULL unless ssl_mode verifies */
    const char *application_name; /* NULL: "sfstack" */
    bool is_read_only;            /* default_transaction_read_only: a query that writes is refused by the server */
    const char *setup;            /* SQL that sets the session, for a server that takes no startup options; NULL: they are sent */
    int64_t connect_ms;           /* how long connecting may take; 0: until the deadline */
    int64_t deadline_ms;          /* sf_clock_ms() past which what runs is told to stop; no call takes five seconds longer */
    bool (*is_cancelled)(void *ctx);              /* asked a few times a second; NULL: never */
    void (*warn)(void *ctx, const char *message); /* WARNINGs of the server; NULL: dropped, as NOTICEs always are */
    void *ctx;
};

/* Removes every PG* variable from the environment: libpq offers no parameter that outweighs PGSERVICE, PGTZ and PGDATESTYLE.
 * Call it on the main thread before any other thread runs. */
void sf_pg_forget_environment(void);

/* Connects. Rows and messages of the connection are allocated in `arena`. Close with sf_pg_close().
 * SF_E_UNAVAILABLE (nobody answers, starting up), SF_E_AUTH (28P01: wrong password), SF_E_DENIED (28000: no pg_hba.conf line),
 * SF_E_THROTTLED (53300: too many connections), SF_E_ABSENT (3D000: no such database), SF_E_CANCELLED. Nothing has happened. */
enum sf_code sf_pg_open(struct sf_arena *arena, const struct sf_pg_target *target, struct sf_pg **out,
                        struct sf_err *err) SF_MUST_CHECK;
/* NULL is fine. An open transaction is rolled back by the server. */
void sf_pg_close(struct sf_pg *pg);

/* Runs one statement. *rows (may be NULL) is a list of lists of string or null; an empty list for a command.
 * Lost connection or deadline: SF_E_UNAVAILABLE inside a transaction (it is rolled back), SF_E_UNKNOWN outside one.
 * Else by SQLSTATE: SF_E_DENIED (42501), SF_E_IO (53100 disk full), SF_E_THROTTLED (deadlock, serialization, lock timeout),
 * SF_E_CANCELLED, and SF_E_REFUSED for the rest. */
enum sf_code sf_pg_exec(struct sf_pg *pg, struct sf_str sql, const struct sf_value **rows, struct sf_err *err) SF_MUST_CHECK;
/* Runs one statement (more are refused: 42601) that gives a table. *columns is a list of maps {name, is_number}, *rows as above.
 * What gives none (a command, a COPY), and text of more than 64 MiB, is SF_E_REFUSED; close the connection then. */
enum sf_code sf_pg_ask(struct sf_pg *pg, struct sf_str sql, const struct sf_value **columns, const struct sf_value **rows,
                       struct sf_err *err) SF_MUST_CHECK;
/* The same for text made on the spot. Quote what comes from outside with sf_pg_ident() and sf_pg_literal(). */
enum sf_code sf_pg_execf(struct sf_pg *pg, struct sf_err *err, const char *fmt, ...) SF_PRINTF(3, 4) SF_MUST_CHECK;

/* COMMIT. A connection lost during it is SF_E_UNKNOWN; a commit that the server turned into a rollback SF_E_REFUSED. */
enum sf_code sf_pg_commit(struct sf_pg *pg, struct sf_err *err) SF_MUST_CHECK;

/* Fills up to `n` bytes; *got = 0 at the end. */
typedef enum sf_code sf_pg_source_fn(void *from, void *bytes, size_t n, size_t *got, struct sf_err *err);

/* Runs `sql` (COPY ... FROM STDIN) and feeds it from `source` to its end. *n_rows (may be NULL) is what the server counted. When
 * the source fails the copy is abandoned and the source's code returned; otherwise as sf_pg_exec(). */
enum sf_code sf_pg_copy_in(struct sf_pg *pg, struct sf_str sql, sf_pg_source_fn *source, void *from, int64_t *n_rows,
                           struct sf_err *err) SF_MUST_CHECK;

/* ALTER ROLE `role` PASSWORD, sending the SCRAM verifier: the clear password leaves this process in no form. */
enum sf_code sf_pg_set_password(struct sf_pg *pg, const char *role, const char *password, struct sf_err *err) SF_MUST_CHECK;

/* Quoted for SQL: "a""b" and 'a''b' (E'...' when it holds a backslash). Text must be UTF-8 without NUL. */
struct sf_str sf_pg_ident(struct sf_arena *arena, struct sf_str name);
struct sf_str sf_pg_literal(struct sf_arena *arena, struct sf_str text);

/* What a SQLSTATE means for the engine, outside connecting and commit. */
enum sf_code sf_pg_code_of(const char *sqlstate);

#endif
