/* One attempt at a table of a portal: what datasf.c and pages.c share. */
#ifndef SF_DATA_SOURCE_VISIT_H
#define SF_DATA_SOURCE_VISIT_H

#include "resources/data/source/doors.h"
#include "resources/data/source/metadata.h"

struct sf_visit {
    struct sf_fetch *fetch;
    const struct sf_datasf *table;
    const struct sf_rules *rules;
    struct sf_str name;
    struct sf_str host;
    struct sf_metadata metadata;
    struct sf_meter meter;
    struct sf_partial *partial;
    uint64_t counted; /* rows, by the portal's own count before they were fetched; 0: it was not asked */
};

/* Opens the transfer that is `what`, or begins it: v->partial and v->meter. *tag is what came with the bytes that are there. */
enum sf_code sf_visit_open_partial(struct sf_visit *v, bool is_paged, struct sf_str what, struct sf_str *tag,
                                   struct sf_err *err) SF_MUST_CHECK;

/* All rows in pages, in the order of `:id`: one year of the rules' year column after the other where the portal counts them, so
 * that each year's rows can be compared, and one that comes short is fetched again alone; else the whole table at once. Rows
 * without a year are one of the years. SF_E_STALE: a year has not as many rows as the portal counts, three times. Else as
 * sf_fetch_body(). */
enum sf_code sf_visit_pages(struct sf_visit *v, bool is_soda3, struct sf_err *err) SF_MUST_CHECK;

#endif
