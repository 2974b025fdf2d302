/* Rows in which nothing is out of the ordinary, many at a time: a year of four digits, a side in the rules' own spelling, an amount
 * as sf_text_plain_money() reads it, the stamps of the first row. Any other row is for the parser to look at value by value, and it
 * must find the same in these. */
#ifndef SF_DATA_CONFORM_PLAIN_H
#define SF_DATA_CONFORM_PLAIN_H

#include "resources/data/conform/parse.h"

struct sf_plain_row {
    int64_t cents;
    uint32_t year, side; /* indexes; the year's counts from rules->min_year */
};

/* Sets up parser->plain: whether such rows are to be expected at all. */
void sf_plain_open(struct sf_parser *parser);
/* Reads `n` records of the right number of fields, at most 32. Bit i of the result: out[i] is what records[i] says. */
uint32_t sf_plain_read(const struct sf_parser *parser, const struct sf_csv_record *records, size_t n, struct sf_plain_row *out);

#endif
