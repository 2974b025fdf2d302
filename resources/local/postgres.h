/* One local cluster's PostgreSQL server: where its files are, whether it runs, starting, stopping and speaking to it.
 *
 * clusters/ID/meta.json     ownership and the wishes (attrs of the stack, without the password)
 * clusters/ID/server.json   what was chosen: {"port", "version", "pid", "start_time"}; derived, never compared
 * clusters/ID/data/         the data directory; made as data.new and renamed when initdb is through, so it is whole or absent
 * clusters/ID/log           the server's messages: no statement, no value, no password
 * clusters/ID/run/          the control socket, 0700. Where that path is longer than the 107 bytes that a socket's may have, or
 *                           holds a comma or a quote:
 *                           /tmp/sfstack-<uid>-<hash>/, also 0700 and checked for its owner; made again at each start, and tmp
 *                           cleaners leave a directory alone whose socket the server touches (it does, every hour)
 *
 * Engine control goes over that socket by peer authentication: the run account and root are mapped to the master user in
 * pg_ident.conf. It needs no password and no security group covers it.
 *
 * A process is this cluster's when its working directory is the data directory (all of PostgreSQL's are there) and it runs a
 * program called postgres. That finds the postmaster after a crash of ours, and the orphans that `kill -9` of it leaves. */
#ifndef SF_LOCAL_POSTGRES_H
#define SF_LOCAL_POSTGRES_H

#include "resources/local/territory.h"
#include "resources/net/pg.h"

enum { SF_POSTGRES_DECLARED_PORT = 5439 };

struct sf_postgres {
    struct sf_str id;
    const struct sf_value *meta;  /* all of meta.json */
    const struct sf_value *attrs; /* its "attrs" */
    const char *dir;
    const char *data_dir;
    const char *socket_dir;
    const char *username;
    const char *database;
    const char *version;    /* as of its last start, or "" */
    int port;               /* chosen; of the running server's own lock file if it is not recorded; 0 before the first start */
    int declared_port;      /* what the stack asks for: rules of security groups speak of this one */
    int64_t recorded_pid;   /* of the last start; 0 when there was none */
    int64_t recorded_start; /* its start time, which tells it from a later process of that number */
    int64_t log_end;        /* bytes in the server's log when this was loaded, or started since: what it says is behind them */
    bool is_being_removed;
};

/* Reads meta.json and server.json. SF_E_ABSENT when there is no such cluster (with or without data). */
enum sf_code sf_postgres_load(struct sf_op *op, struct sf_str id, struct sf_postgres *pg, struct sf_err *err) SF_MUST_CHECK;
/* Major version that made the data directory; 0 when there is no (whole) one. */
int sf_postgres_data_major(struct sf_op *op, const struct sf_postgres *pg);
/* bin directory for that major version (0: the newest). SF_E_UNAVAILABLE names the package, SF_E_CONFLICT the two versions. */
enum sf_code sf_postgres_bin(struct sf_op *op, const struct sf_postgres *pg, const char **bin, struct sf_err *err) SF_MUST_CHECK;

/* initdb, unless there is a data directory. A half-made one is made again. */
enum sf_code sf_postgres_init(struct sf_op *op, const struct sf_postgres *pg, struct sf_str password,
                              struct sf_err *err) SF_MUST_CHECK;
/* Whether the postmaster runs; pid and start_time may be NULL. */
bool sf_postgres_is_running(struct sf_op *op, const struct sf_postgres *pg, pid_t *pid, uint64_t *start_time);
/* Whether server.json speaks of the server that runs; a run that ended between start and record leaves one that does not. True
 * when none runs. */
bool sf_postgres_is_recorded(struct sf_op *op, const struct sf_postgres *pg);
/* Ends orphans, chooses the port (pg->port is updated and recorded), writes the configuration, starts, records. Running: recorded
 * if it is not, and that is all. Call with the territory's mutex held. */
enum sf_code sf_postgres_start(struct sf_op *op, struct sf_postgres *pg, struct sf_err *err) SF_MUST_CHECK;
/* Stops the postmaster with SIGINT (fast: sessions end, data are flushed) or SIGQUIT (at once; the next start recovers), at worst
 * with SIGKILL, then whatever it leaves behind: processes and its shared memory. */
enum sf_code sf_postgres_stop(struct sf_op *op, const struct sf_postgres *pg, int sig, struct sf_err *err) SF_MUST_CHECK;
/* Removes the control socket's directory. */
enum sf_code sf_postgres_remove_sockets(struct sf_op *op, const struct sf_postgres *pg, struct sf_err *err) SF_MUST_CHECK;

/* Engine control. SF_E_UNAVAILABLE when the server is stopped. Close with sf_pg_close(). */
enum sf_code sf_postgres_connect(struct sf_op *op, const struct sf_postgres *pg, const char *database, bool is_read_only,
                                 struct sf_pg **conn, struct sf_err *err) SF_MUST_CHECK;

/* --- its log (postgres_log.c) --- */

const char *sf_postgres_log(struct sf_op *op, const struct sf_postgres *pg);
int64_t sf_postgres_log_end(struct sf_op *op, const struct sf_postgres *pg);
/* What the last PANIC line of a piece of log says, else the last FATAL line; empty when there is neither. */
struct sf_str sf_postgres_log_reason(struct sf_str text);
/* The same of what the server wrote since `pg` was loaded. */
struct sf_str sf_postgres_reason(struct sf_op *op, const struct sf_postgres *pg);
bool sf_postgres_has_logged(struct sf_op *op, const struct sf_postgres *pg, const char *text);
/* Where the reason is a full disk: that hint, and SF_E_IO in place of SF_E_UNAVAILABLE. Returns the code. */
enum sf_code sf_postgres_full(const struct sf_postgres *pg, struct sf_str reason, enum sf_code rc,
                              struct sf_err *err) SF_MUST_CHECK;
/* For an error of a connection to this server: when it was lost (SF_E_UNAVAILABLE, SF_E_UNKNOWN) and the log says why, the reason
 * is put in front of the message, and a full disk is treated as one. Returns the code. */
enum sf_code sf_postgres_blame(struct sf_op *op, const struct sf_postgres *pg, enum sf_code rc, struct sf_err *err) SF_MUST_CHECK;

/* --- configuration, derived from the territory (enforce_pg.c) --- */

/* Who may connect over TCP: canonical CIDRs of the rules for the declared port, sorted, each once. */
struct sf_admitted {
    struct sf_str *cidrs;
    size_t n;
    const char *listen; /* the listen_addresses that follow from them */
};

/* From lists of ingress rules ({protocol, port, from}); `n_groups` 0 is this machine only, as is a rule whose `from` is empty.
 * What is no CIDR is left out and named in *bad (NULL if none). */
struct sf_admitted sf_postgres_admitted(struct sf_arena *arena, const struct sf_value *const *ingress, size_t n_groups,
                                        int declared_port, const char **bad);
/* Whether an address inside 127.0.0.1/32 may connect: the load comes from there. */
bool sf_postgres_admits_loopback(const struct sf_admitted *admitted);

/* Writes the derived files where they differ; *changed tells. Mutex held. */
enum sf_code sf_postgres_configure(struct sf_op *op, const struct sf_postgres *pg, bool *changed, struct sf_err *err) SF_MUST_CHECK;
/* Name of the first derived file that differs, or NULL. */
const char *sf_postgres_config_drift(struct sf_op *op, const struct sf_postgres *pg);
/* The listen_addresses in force by the file on disk; NULL when it cannot be read. */
const char *sf_postgres_listen_on_disk(struct sf_op *op, const struct sf_postgres *pg);

#endif
