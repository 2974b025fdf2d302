/* See meter.h. */
#include "resources/data/source/meter.h"

#include "resources/data/conform/text.h"

enum { MAX_HEADER_BYTES = 64 * 1024, BOM_BYTES = 3 };

static const char bom[] = "\xef\xbb\xbf";

void sf_meter_open(struct sf_meter *m, const struct sf_rule_column *stamp)
{
    *m = (struct sf_meter){.stamp = stamp,
                           .header = SF_BUF(MAX_HEADER_BYTES),
                           .candidate = SF_BUF(MAX_HEADER_BYTES),
                           .stamp_field = -1,
                           .is_in_header = true,
                           .is_first_part = true};
}

void sf_meter_close(struct sf_meter *m)
{
    sf_buf_free(&m->header);
    sf_buf_free(&m->candidate);
}

void sf_meter_begin_part(struct sf_meter *m)
{
    m->is_first_part = m->header.n == 0;
    m->is_in_header = true;
    m->state = SF_METER_FIELD;
    m->is_after_cr = m->is_leaving_out = m->has_record = false;
    m->n_part = 0;
    m->field = 0;
    m->n_value = 0;
    sf_buf_clear(&m->candidate);
}

/* --- the header --- */

bool sf_meter_is_named(const struct sf_rule_column *column, struct sf_str name)
{
    char folded[128], other[128];
    if (name.n > sizeof folded)
        return false;
    struct sf_str have = {folded, sf_text_fold(name, folded)};
    for (size_t i = 0; i < column->n_names; i++)
        if (column->names[i].n <= sizeof other && sf_str_eq(have, (struct sf_str){other, sf_text_fold(column->names[i], other)}))
            return true;
    return false;
}

/* Names with commas inside quotes do not matter: no stamp is called so, and what follows them is only counted. */
static int find_stamp(const struct sf_rule_column *column, struct sf_str header)
{
    bool is_quoted = false;
    int field = 0;
    size_t from = 0;
    for (size_t i = 0; i <= header.n; i++) {
        if (i < header.n && header.p[i] == '"')
            is_quoted = !is_quoted;
        if (i < header.n && (header.p[i] != ',' || is_quoted))
            continue;
        struct sf_str name = sf_str_trim(sf_str_slice(header, from, i));
        bool has_quotes = name.n >= 2 && name.p[0] == '"';
        if (sf_meter_is_named(column, has_quotes ? sf_str_slice(name, 1, name.n - 1) : name))
            return field;
        field++;
        from = i + 1;
    }
    return -1;
}

static enum sf_code end_header(struct sf_meter *m, struct sf_err *err)
{
    struct sf_str header = sf_buf_str(&m->candidate);
    m->is_in_header = false;
    if (m->candidate.overflow)
        return sf_fail(err, SF_E_DATA, "the first line is longer than %d bytes: this is no CSV file", MAX_HEADER_BYTES);
    if (m->is_first_part) {
        sf_buf_add(&m->header, header);
        m->stamp_field = m->stamp ? find_stamp(m->stamp, header) : -1;
        return SF_OK;
    }
    if (sf_str_eq(header, sf_buf_str(&m->header)))
        return SF_OK;
    m->is_torn = true;
    return sf_fail(err, SF_E_STALE, "the columns changed between two pages");
}

/* --- records --- */

static enum sf_code end_record(struct sf_meter *m, struct sf_err *err)
{
    bool is_header = m->is_in_header;
    size_t n = m->n_value;
    bool is_stamped = m->has_record && !is_header && m->stamp_field >= 0 && m->field >= m->stamp_field;
    m->rows += m->has_record && !is_header;
    m->has_record = false;
    m->field = 0;
    m->n_value = 0;
    m->state = SF_METER_FIELD;
    if (is_header)
        return end_header(m, err);
    if (!is_stamped)
        return SF_OK;
    m->value[n] = 0;
    if (!m->has_first_stamp) {
        memcpy(m->first_stamp, m->value, n + 1);
        m->has_first_stamp = true;
    } else if (strcmp(m->value, m->first_stamp) != 0) {
        m->is_torn = true;
        return sf_fail(err, SF_E_STALE, "row %llu says %.*s '%s', the rows before '%s': two snapshots in one",
                       (unsigned long long)m->rows, SF_ARG(m->stamp->name), m->value, m->first_stamp);
    }
    return SF_OK;
}

static void keep_stamp(struct sf_meter *m, char c)
{
    if (m->field == m->stamp_field && m->n_value < SF_METER_STAMP_BYTES - 1)
        m->value[m->n_value++] = c;
}

/* One byte of a record; true at its end. */
static bool step(struct sf_meter *m, char c)
{
    if (m->state == SF_METER_QUOTED) {
        if (c == '"')
            m->state = SF_METER_QUOTE;
        else
            keep_stamp(m, c);
        return false;
    }
    if (c == '\n' || c == '\r')
        return true;
    m->has_record = true;
    if (c == ',') {
        m->state = SF_METER_FIELD;
        m->field++;
    } else if (c == '"' && m->state != SF_METER_PLAIN) {
        m->state = SF_METER_QUOTED;
    } else {
        m->state = SF_METER_PLAIN;
        keep_stamp(m, c);
    }
    return false;
}

static enum sf_code check_first_byte(char c, struct sf_err *err)
{
    if (c == '<') {
        sf_fail(err, SF_E_DATA, "a web page came, not CSV");
        sf_hint(err, "open the address in a browser: a proxy's login or an error page stands there");
        return SF_E_DATA;
    }
    if (c == '\xff' || c == '\xfe' || c == 0) {
        sf_fail(err, SF_E_DATA, "text in UTF-16 came, not in UTF-8");
        return SF_E_DATA;
    }
    if (c == '{' || c == '[') {
        sf_fail(err, SF_E_DATA, "a message came, not CSV");
        return SF_E_DATA;
    }
    return SF_OK;
}

/* Where the next byte that matters is: text inside quotes is passed over, unless it is the stamp. */
static size_t skip(const struct sf_meter *m, struct sf_str bytes, size_t i)
{
    if (m->state != SF_METER_QUOTED || m->is_in_header || m->field == m->stamp_field)
        return i;
    const char *quote = memchr(bytes.p + i, '"', bytes.n - i);
    return quote ? (size_t)(quote - bytes.p) : bytes.n;
}

static enum sf_code take_header_byte(struct sf_meter *m, char c, struct sf_err *err)
{
    bool is_line_end = c == '\n' || c == '\r';
    if (!is_line_end && c != ' ' && c != '\t' && sf_str_trim(sf_buf_str(&m->candidate)).n == 0) {
        enum sf_code rc = check_first_byte(c, err);
        if (rc)
            return rc;
    }
    if (m->state == SF_METER_QUOTED || !is_line_end)
        sf_buf_addc(&m->candidate, c);
    return SF_OK;
}

enum sf_code sf_meter_feed(struct sf_meter *m, struct sf_str bytes, struct sf_str *kept, struct sf_err *err)
{
    *kept = m->is_first_part || !m->is_in_header ? bytes : SF_STR_NONE;
    for (size_t i = skip(m, bytes, 0); i < bytes.n; i = skip(m, bytes, i + 1)) {
        char c = bytes.p[i];
        bool was_in_header = m->is_in_header, is_second = m->is_after_cr && c == '\n', is_left_out = m->is_leaving_out;
        m->is_after_cr = m->is_leaving_out = false;
        if (is_second) {
            if (is_left_out)
                *kept = sf_str_slice(bytes, i + 1, bytes.n);
            continue;
        }
        if (m->n_part < BOM_BYTES && c == bom[m->n_part]) {
            m->n_part++;
            continue;
        }
        m->n_part = BOM_BYTES;
        m->is_after_cr = c == '\r' && m->state != SF_METER_QUOTED;
        enum sf_code rc = was_in_header ? take_header_byte(m, c, err) : SF_OK;
        if (!rc && step(m, c) && (!was_in_header || m->has_record))
            rc = end_record(m, err);
        if (rc)
            return rc;
        if (was_in_header && !m->is_in_header && !m->is_first_part) {
            *kept = sf_str_slice(bytes, i + 1, bytes.n);
            m->is_leaving_out = m->is_after_cr;
        }
    }
    return SF_OK;
}

enum sf_code sf_meter_end_part(struct sf_meter *m, bool *lacks_newline, struct sf_err *err)
{
    *lacks_newline = false;
    if (m->state == SF_METER_QUOTED)
        return sf_fail(err, SF_E_UNKNOWN, "the body ends inside a quoted field: it was cut off");
    if (!m->has_record)
        return SF_OK;
    *lacks_newline = !m->is_in_header || m->is_first_part;
    return end_record(m, err);
}
