/* libFuzzer target: CSV is refused or read, and the fields are the same however the input is cut into pieces
 * and into chunks. */
#include "engine/core/str.h"
#include "resources/data/conform/csv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size, at, piece;
};

static enum sf_code read_piece(void *ctx, char *bytes, size_t n, size_t *got, struct sf_err *err)
{
    struct input *input = ctx;
    (void)err;
    size_t left = input->size - input->at;
    *got = left < n ? left : n;
    if (*got > input->piece)
        *got = input->piece;
    memcpy(bytes, input->data + input->at, *got);
    input->at += *got;
    return SF_OK;
}

/* Everything that was read, fields ended by US and records by RS, and whether it was refused. */
static bool read_all(const uint8_t *data, size_t size, size_t piece, size_t block, struct sf_buf *out)
{
    struct input input = {data, size, 0, piece};
    struct sf_csv_reader reader;
    const struct sf_csv_record *record = NULL;
    struct sf_err err;
    enum sf_code rc;
    sf_csv_reader_open(&reader, read_piece, &input, "fuzz.csv");
    reader.splitter.block = block;
    while ((rc = sf_csv_reader_next(&reader, &record, &err)) == SF_OK && record) {
        for (size_t i = 0; i < record->n_fields; i++) {
            struct sf_str raw = sf_csv_raw(record, i);
            char *scratch = malloc(raw.n + 1);
            if (!scratch)
                sf_out_of_memory();
            sf_buf_add(out, sf_csv_value(raw, scratch));
            sf_buf_addc(out, 31);
            free(scratch);
        }
        sf_buf_addc(out, 30);
    }
    sf_csv_reader_close(&reader);
    return rc == SF_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sf_buf whole = SF_BUF(SF_MAX_JSON_BYTES), pieces = SF_BUF(SF_MAX_JSON_BYTES);
    bool is_read = read_all(data, size, SIZE_MAX, SF_CSV_BLOCK, &whole);
    bool is_read_in_pieces = read_all(data, size, 1 + size % 7, 4 + size % 61, &pieces);
    if (is_read != is_read_in_pieces || (is_read && !sf_str_eq(sf_buf_str(&whole), sf_buf_str(&pieces))))
        abort();
    sf_buf_free(&whole);
    sf_buf_free(&pieces);
    return 0;
}
