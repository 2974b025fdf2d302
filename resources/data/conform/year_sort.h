/* The rows of one fiscal year in the order in which they are numbered and written, which content alone decides: by side, member
 * keys, details, measures.
 *
 * Side and members are packed into a key of one word, more if they need it. A plain year (one word, one measure, no details) sorts
 * 16 bytes a row; in any other the second half says where the rest of the row is, its record. */
#ifndef SF_DATA_CONFORM_YEAR_SORT_H
#define SF_DATA_CONFORM_YEAR_SORT_H

#include "resources/data/conform/members.h"
#include "resources/data/conform/rows.h"

enum { SF_KEY_MAX_WORDS = (SF_RULES_MAX_DIMENSIONS + 2) / 2 }; /* a place in the members takes at most 32 bits */

/* What all years share; read-only. */
struct sf_year_input {
    const struct sf_rules *rules;
    const struct sf_members *members;  /* by dimension */
    const struct sf_rows *const *rows; /* of each worker */
    size_t n_workers;
    uint32_t *const *const *maps; /* maps[dimension][worker][number] is the place in members */
    const char *objects_dir;
    size_t slice_bytes; /* 0: SF_SLICE_BYTES */
};

struct sf_sorted {
    uint64_t key;  /* the first word: the side, then the place of each dimension's raw */
    int64_t value; /* cents; of a year that is not plain where in `records` the row has the other words, cents, and its tail */
};

/* Where the key has what. */
struct sf_key_place {
    unsigned word, shift;
    uint64_t mask;
};

struct sf_sorted_year {
    const struct sf_rules *rules;
    struct sf_key_place side, dimensions[SF_RULES_MAX_DIMENSIONS];
    unsigned bits[SF_KEY_MAX_WORDS]; /* used of each word */
    size_t n_words;
    bool is_plain;
    struct sf_sorted *rows, *spare; /* both hold n; what `spare` holds is of no use */
    size_t n;
    char *records;
};

/* A row, read. */
struct sf_sorted_row {
    uint64_t words[SF_KEY_MAX_WORDS];
    int64_t cents[SF_RULES_MAX_MEASURES];
    const char *details; /* of a year that is not plain: for sf_tail_next() */
};

/* What of a year is sorted at a time, so that memory does not grow with the year: the slices follow each other in its order, and no
 * two of them have a side and a member of the first dimension in common. */
struct sf_year_slice {
    size_t first, end; /* side * members of the first dimension + place of the member */
    size_t n, record_bytes;
};

enum { SF_SLICE_BYTES = 6 * 1024 * 1024 }; /* of sorting; a member with more rows is still one slice */

/* Memory for one slice after the other; zero it to begin with. */
struct sf_sort_scratch {
    struct sf_sorted *rows, *spare;
    char *records;
    size_t cap, cap_records;
    struct sf_year_slice *slices;
    size_t cap_slices;
};
void sf_sort_scratch_free(struct sf_sort_scratch *scratch);

/* The slices of the year with index `index`, at least one; they are `scratch`'s. SF_E_IO: the spilled rows cannot be read. */
enum sf_code sf_year_slices(const struct sf_year_input *input, size_t index, struct sf_sort_scratch *scratch, size_t *n_slices,
                            struct sf_err *err) SF_MUST_CHECK;
/* A slice, sorted. What it points at is `scratch`'s. */
enum sf_code sf_year_sort(const struct sf_year_input *input, size_t index, const struct sf_year_slice *slice,
                          struct sf_sort_scratch *scratch, struct sf_sorted_year *out, struct sf_err *err) SF_MUST_CHECK;
/* The row at `i`, and whether it equals the one before it in all but the measures; the first two for years that are not plain. */
void sf_sorted_read_record(const struct sf_sorted_year *year, size_t i, struct sf_sorted_row *row);
bool sf_sorted_repeats_record(const struct sf_sorted_year *year, size_t i);
static inline void sf_sorted_read(const struct sf_sorted_year *year, size_t i, struct sf_sorted_row *row)
{
    if (!year->is_plain) {
        sf_sorted_read_record(year, i, row);
        return;
    }
    row->words[0] = year->rows[i].key;
    row->cents[0] = year->rows[i].value;
    row->details = NULL;
}
static inline bool sf_sorted_repeats(const struct sf_sorted_year *year, size_t i)
{
    return i > 0 && year->rows[i].key == year->rows[i - 1].key && (year->is_plain || sf_sorted_repeats_record(year, i));
}
static inline size_t sf_sorted_place(const struct sf_sorted_row *row, const struct sf_key_place *place)
{
    return (size_t)(row->words[place->word] >> place->shift & place->mask);
}

/* The tail of a row: the details as they stand in the source, then the measures but the first. */
void sf_tail_detail(struct sf_buf *tail, struct sf_str raw);
void sf_tail_measure(struct sf_buf *tail, int64_t cents);
/* The detail that begins here, and sets where the next one does. */
struct sf_str sf_tail_next(const char **tail);

#endif
