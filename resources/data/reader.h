/* The reader of a star: a role that may log in and select, its generated password, and the passfile that psql takes.
 *
 * Several stars of one cluster may share a reader: they share the role and the passfile, guarded by a lock file. The clear
 * password is in two places only: sealed in state, and in the passfile (0600) in the secrets directory. The warehouse is sent a
 * SCRAM verifier. */
#ifndef SF_DATA_READER_H
#define SF_DATA_READER_H

#include "resources/data/star_sql.h"

/* "<secrets_dir>/<cluster id>-<reader>.pgpass". */
const char *sf_reader_passfile(struct sf_op *op, const struct sf_object *cluster, struct sf_str reader);
/* The complete psql command; the empty view while host or port are not known, or with *is_shut_out when nobody may be let in. */
struct sf_str sf_reader_command(struct sf_op *op, const struct sf_object *cluster, struct sf_str reader, bool *is_shut_out);
/* Whether the passfile is there, private, and for this host, port and role. */
bool sf_reader_has_passfile(struct sf_op *op, const struct sf_object *cluster, struct sf_str reader);

/* Whether the passfile's password is the one that the server's SCRAM verifier was made of; true when it cannot be told. */
bool sf_reader_password_fits(struct sf_op *op, const struct sf_object *cluster, struct sf_str reader, struct sf_str verifier);

/* The reader's password, from the passfile, else as sealed with this star. SF_E_ABSENT when there is neither. */
enum sf_code sf_reader_password(struct sf_op *op, const struct sf_object *cluster, struct sf_str reader, struct sf_str *password,
                                struct sf_err *err) SF_MUST_CHECK;

/* Makes or mends the role, its password, its grants on this star and the passfile. Idempotent. */
enum sf_code sf_reader_make(struct sf_op *op, const struct sf_object *cluster, const struct sf_star_site *site,
                            struct sf_err *err) SF_MUST_CHECK;
/* Takes this star's grants away; the role and the passfile go when no star of the cluster names the reader any more (in the marks
 * of its schema's comment). Call after the star's own mark is gone. */
enum sf_code sf_reader_leave(struct sf_op *op, const struct sf_object *cluster, struct sf_str reader,
                             struct sf_err *err) SF_MUST_CHECK;

/* SCRAM-SHA-256 verifier as PostgreSQL stores it (RFC 5803), for an ASCII password. */
struct sf_str sf_reader_scram(struct sf_arena *arena, struct sf_str password, const unsigned char salt[16], int iterations);

#endif
