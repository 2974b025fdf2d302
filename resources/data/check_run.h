/* Checks as part of a load: which statements they are, what became of each, and what people are told. */
#ifndef SF_DATA_CHECK_RUN_H
#define SF_DATA_CHECK_RUN_H

#include "resources/data/checks.h"

/* The checks of one load, and where their statements stand in its script. */
struct sf_check_run {
    struct sf_checks *checks;
    const struct sf_load_plan *plan;
    size_t
        *first; /* of each check: index of its first statement; one more entry holds the end of the last. All alike when merged */
    size_t raising; /* index of the statement that raises for all of them; 0: each raises for itself */
    size_t results; /* index of the statement that gives check_results */
    size_t rows;    /* index of the one that gives the first failing rows */
};

/* Tells the engine which checks there are and learns which of them are accepted. */
void sf_checks_announce(struct sf_op *op, struct sf_checks *checks);

/* Adds all checks. An error check raises; one that warns or is accepted is counted and its rows are kept in load_rejects. In a
 * rehearsal, which publishes nothing, that holds for all of them. */
void sf_check_run_add(struct sf_script *script, struct sf_checks *checks, const struct sf_load_plan *plan,
                      struct sf_check_run *run);
/* Forgets the rows that failed earlier. sf_check_run_add() begins with it. */
void sf_check_run_clear(struct sf_script *script, const struct sf_load_plan *plan);
/* SQL for "name=3 other=1": the accepted, or the warning, checks that failed. Empty when there are none to ask for. */
struct sf_str sf_check_run_noted_sql(struct sf_arena *arena, const struct sf_checks *checks, bool accepted);
/* Whether the statement at this index raises for a check that failed. *check is that check; NULL when it may be any. */
bool sf_check_run_raises(const struct sf_check_run *run, size_t statement, const struct sf_check **check);

/* Tells the engine what became of each check, from the rows of a script that went through (NULL: from none, only `failed` is known
 * to have failed). */
void sf_check_run_report(struct sf_op *op, const struct sf_check_run *run, const struct sf_value *results,
                         const struct sf_check *failed);
/* What people have after a load that published nothing. */
const char *sf_check_run_standing(const struct sf_load_plan *plan);
/* The error for the checks that kept a load from being published: SF_E_UNPUBLISHED. False when none of them did. */
bool sf_check_run_explain(struct sf_op *op, const struct sf_check_run *run, const struct sf_value *results, struct sf_err *err);

#endif
