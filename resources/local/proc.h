/* Child processes of the local world: started as the run account, with a clean environment, found again by pid and start time. */
#ifndef SF_LOCAL_PROC_H
#define SF_LOCAL_PROC_H

#include "engine/kind.h"

#include <sys/types.h>

struct sf_proc_spec {
    const char *const *argv; /* NULL-terminated; argv[0] is an absolute path */
    const char *const
        *env; /* extra NAME=value, NULL-terminated, or NULL. The child gets PATH, HOME=/nonexistent-or-dir, LANG=C.UTF-8, these. */
    const char *dir;      /* working directory, or NULL for / */
    const char *log_path; /* stdout and stderr are appended here; NULL: captured */
    bool as_run_account;
};

/* Runs to the end. Captures at most 64 KiB of output into op->arena. SF_OK whatever the exit status is; SF_E_UNKNOWN on
 * deadline (the child is killed). All descriptors but 0-2 are closed in the child; SIGPIPE etc. are back to default. */
enum sf_code sf_proc_run(struct sf_op *op, const struct sf_proc_spec *spec, int *exit_status, struct sf_str *output,
                         struct sf_err *err) SF_MUST_CHECK;

/* Start time of a process in clock ticks since boot (/proc/PID/stat field 22); 0 when there is no such process. */
uint64_t sf_proc_start_time(pid_t pid);
/* Whether `pid` still is the process that started then (and is no zombie). */
bool sf_proc_is_alive(pid_t pid, uint64_t start_time);
/* Sends `sig`, waits up to `wait_ms` for its end, then SIGKILL and waits again. Absent is success. */
enum sf_code sf_proc_stop(pid_t pid, uint64_t start_time, int sig, int64_t wait_ms, struct sf_err *err) SF_MUST_CHECK;
/* Whether something listens on TCP host:port, read from /proc/net/tcp{,6}. *uid gets the listener's owner. host "0.0.0.0" or "" is
 * any. */
bool sf_proc_port_is_listening(const char *host, int port, uid_t *uid);
/* Newest /usr/lib/postgresql/<n>/bin that has `tool`, or a tool on PATH and /usr/sbin; NULL when there is none. */
const char *sf_proc_find_program(struct sf_arena *arena, const char *tool);
const char *sf_proc_find_postgres_bin(struct sf_arena *arena, int *major);

#endif
