/* `sfstate query [ADDRESS] TEXT`: puts one question to something that the stack made, and prints the table it answers.
 *
 * Knows no language and no kind: a driver that has query() is asked. Takes no lock and changes nothing. */
#ifndef SF_CLI_QUERY_H
#define SF_CLI_QUERY_H

#include "engine/cli/ui.h"

struct sf_query {
    struct sf_run run;
    bool is_open; /* run->diags are there, whatever came of it */
};

/* Aligned, or with -csv or -json; to stdout. SF_E_USAGE: no text, nothing that answers, or several and no ADDRESS. */
enum sf_code sf_query_run(struct sf_query *query, struct sf_arena *arena, const struct sf_options *options,
                          struct sf_err *err) SF_MUST_CHECK;
void sf_query_close(struct sf_query *query);

/* The three ways to write an answer. A table is meant for eyes: what would steer a terminal is written \xNN or \uNNNN, and null is
 * blank. CSV is RFC 4180's but for its line ends, which are ours; null is an empty field, an empty text "". JSON is one object a
 * line, numbers as they stand; SF_E_REFUSED when two columns have one name. */
void sf_answer_write_table(struct sf_buf *out, struct sf_arena *arena, const struct sf_answer *answer);
void sf_answer_write_csv(struct sf_buf *out, const struct sf_answer *answer);
enum sf_code sf_answer_write_json(struct sf_buf *out, struct sf_arena *arena, const struct sf_answer *answer,
                                  struct sf_err *err) SF_MUST_CHECK;

#endif
