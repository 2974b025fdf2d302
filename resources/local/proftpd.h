/* One ProFTPD of the local world: its files under <territory>/sftp/ID and its processes. What it serves to whom is in
 * sftp_access.h.
 *
 *   meta.json     ownership and what the stack wants      server.json   port, pid and start time: what we chose and found
 *   users/NAME.json   one sftp_user each                  host_key_N    private host keys, 0600
 *   proftpd.conf, passwd, keys/NAME, access/NAME          derived (sftp_access.h)
 *
 * A process counts as ours by pid and start time; after a crash between start and record, by the
 * pid file that it wrote right after its start. */
#ifndef SF_LOCAL_PROFTPD_H
#define SF_LOCAL_PROFTPD_H

#include "resources/local/territory.h"

enum { SF_PROFTPD_DECLARED_PORT = 2222 };

struct sf_proftpd {
    struct sf_str id;
    const char *dir;
    const struct sf_value *meta, *attrs; /* of meta.json */
    struct sf_str address;
    int declared_port;
    int port; /* 0 before the first start */
    pid_t pid;
    uint64_t start_time;
};

/* Reads meta.json and server.json. SF_E_ABSENT when there is no such server. */
enum sf_code sf_proftpd_load(struct sf_op *op, struct sf_str id, struct sf_proftpd *p, struct sf_err *err) SF_MUST_CHECK;
/* Path of the program; NULL when it is not installed, and the error names the packages. */
const char *sf_proftpd_program(struct sf_op *op, struct sf_err *err);
/* Whether the master process runs; refreshes p->pid and p->start_time when it is found by its pid file instead of the record. */
bool sf_proftpd_is_running(struct sf_op *op, struct sf_proftpd *p);
/* "127.0.0.1" and so on, comma-separated: the addresses on which the running master listens, from the kernel. Empty:
 * none. */
struct sf_str sf_proftpd_listening(struct sf_op *op, struct sf_proftpd *p);

/* Starts it if it does not run: picks the port (the remembered or declared one, else the next free), writes what is derived, waits
 * until it listens where it should. Called with the territory's mutex held. */
enum sf_code sf_proftpd_start(struct sf_op *op, struct sf_proftpd *p, struct sf_err *err) SF_MUST_CHECK;
/* Stops master and sessions; not running is success. */
enum sf_code sf_proftpd_stop(struct sf_op *op, struct sf_proftpd *p, struct sf_err *err) SF_MUST_CHECK;
/* Makes a running master read its configuration again and returns when new sessions get the new one. */
enum sf_code sf_proftpd_reload(struct sf_op *op, struct sf_proftpd *p, struct sf_err *err) SF_MUST_CHECK;
/* Ends the sessions of these users, and those that have not logged in yet: a session keeps the rules it started with. */
void sf_proftpd_end_sessions(struct sf_op *op, const struct sf_proftpd *p, const struct sf_str *users, size_t n);

#endif
