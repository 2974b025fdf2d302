/* Looks at CSV as it streams by: is it CSV at all, how many rows, one header, one value of `data_as_of`.
 *
 * The conform engine reads the same bytes again and far more strictly; what is found here decides whether they are kept as a
 * snapshot. The state is in the bytes alone, so feeding what was kept brings an interrupted transfer's meter back. */
#ifndef SF_DATA_SOURCE_METER_H
#define SF_DATA_SOURCE_METER_H

#include "resources/data/conform/rules.h"

enum { SF_METER_STAMP_BYTES = 64 };

struct sf_meter {
    const struct sf_rule_column *stamp; /* column that has one value in all rows; NULL: none */
    uint64_t rows;                      /* complete data records */
    bool is_torn;                       /* two values of the stamp, or two headers */
    /* within a part */
    enum sf_meter_state { SF_METER_FIELD, SF_METER_PLAIN, SF_METER_QUOTED, SF_METER_QUOTE } state;
    bool is_in_header, is_after_cr, has_record, is_first_part;
    bool is_leaving_out;     /* the LF of the header's CRLF too */
    size_t n_part;           /* bytes of this part that the BOM could be */
    struct sf_buf header;    /* of the first part, raw, without line end */
    struct sf_buf candidate; /* of this part */
    int stamp_field, field;
    char first_stamp[SF_METER_STAMP_BYTES], value[SF_METER_STAMP_BYTES];
    size_t n_value;
    bool has_first_stamp;
};

void sf_meter_open(struct sf_meter *meter, const struct sf_rule_column *stamp);
void sf_meter_close(struct sf_meter *meter);

/* The next bytes begin with a header again (a page). */
void sf_meter_begin_part(struct sf_meter *meter);
/* Takes the bytes; *kept is what of them belongs to the table: all, but for the header of every part after the first. SF_E_DATA:
 * not CSV (a web page, an error object). SF_E_STALE: another header or stamp than before, the table changed. */
enum sf_code sf_meter_feed(struct sf_meter *meter, struct sf_str bytes, struct sf_str *kept, struct sf_err *err) SF_MUST_CHECK;
/* No more bytes come. *lacks_newline: the last record had no line end; it counts. SF_E_UNKNOWN: ends inside quotes, cut off. */
enum sf_code sf_meter_end_part(struct sf_meter *meter, bool *lacks_newline, struct sf_err *err) SF_MUST_CHECK;
/* Whether a source's column of this name, display or field name, is the rules' column. */
bool sf_meter_is_named(const struct sf_rule_column *column, struct sf_str name);

#endif
