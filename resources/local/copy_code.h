/* CSV of the engine's own making as the binary format of COPY, on its way to the server: what a client turns from text once costs
 * the server, which every connection waits for, half as much to take in.
 *
 * Source: PostgreSQL manual, "COPY", "Binary Format"; numeric_recv() in src/backend/utils/adt/numeric.c for its digits. */
#ifndef SF_LOCAL_COPY_CODE_H
#define SF_LOCAL_COPY_CODE_H

#include "resources/net/pg.h"

/* Reads text from `source`, LF or quoted as RFC 4180 has it, its first line a header. An empty field is null, a quoted one is
 * empty. Zero it, set the first three, free it. */
struct sf_copy_coder {
    sf_pg_source_fn *source;
    void *from;
    const char *types; /* one letter a column, as in struct sf_statement */
    char *text;        /* what is not a whole row yet stands at its beginning */
    size_t n_text, cap;
    char *coded;
    size_t at, n_coded;
    uint64_t line; /* of the file, that is being read */
    bool has_begun, is_at_end, has_ended;
};

/* A sf_pg_source_fn whose `from` is a coder. SF_E_REFUSED with SQLSTATE 22P02 or 22P04 in err->remote_code: a value or row that
 * does not fit its columns, as the server would say. */
enum sf_code sf_copy_code(void *coder, void *bytes, size_t n, size_t *got, struct sf_err *err) SF_MUST_CHECK;
void sf_copy_coder_free(struct sf_copy_coder *coder);

#endif
