/* The header: which column of the file is which column of the rules. */
#include "resources/data/conform/parse.h"

#include "resources/data/conform/text.h"

/* Index of the rules' column that goes by this name, or -1. */
static int find_by_name(const struct sf_rules *rules, struct sf_str name)
{
    char folded[128], other[128];
    if (name.n > sizeof folded)
        return -1;
    struct sf_str have = {folded, sf_text_fold(name, folded)};
    for (size_t i = 0; i < rules->n_columns; i++) {
        for (size_t k = 0; k < rules->columns[i].n_names; k++) {
            struct sf_str known = rules->columns[i].names[k];
            if (known.n <= sizeof other && sf_str_eq(have, (struct sf_str){other, sf_text_fold(known, other)}))
                return (int)i;
        }
    }
    return -1;
}

static struct sf_str nearest_name(const struct sf_rules *rules, struct sf_str name)
{
    struct sf_str best = SF_STR_NONE;
    size_t best_distance = 1 + name.n / 3;
    for (size_t i = 0; i < rules->n_columns; i++) {
        for (size_t k = 0; k < rules->columns[i].n_names; k++) {
            size_t distance = sf_str_distance(name, rules->columns[i].names[k]);
            if (distance <= best_distance && (best.n == 0 || distance < best_distance)) {
                best = rules->columns[i].names[k];
                best_distance = distance;
            }
        }
    }
    return best;
}

static enum sf_code fail_unknown(const struct sf_rules *rules, const struct sf_csv_record *header, size_t field, struct sf_str name,
                                 struct sf_err *err)
{
    struct sf_str shown = sf_str_slice(name, 0, 60), nearest = nearest_name(rules, name);
    if (field == 0 && name.n && name.p[0] == '<') {
        sf_csv_fail_field(header, field, err, "this is a web page, not a CSV file");
        sf_hint(err, "the server answered with an error page: open the address in a browser and see");
        return SF_E_DATA;
    }
    sf_csv_fail_field(header, field, err, "unknown column '%.*s'", SF_ARG(shown));
    if (nearest.n)
        sf_hint(err, "did you mean '%.*s'? A column under a new name is added to the rule file", SF_ARG(nearest));
    else
        sf_hint(err, "the source's columns have changed: say in the rule file what the column is");
    return SF_E_DATA;
}

static enum sf_code find_missing(struct sf_arena *arena, const struct sf_layout *l, const struct sf_csv_record *header,
                                 struct sf_err *err)
{
    struct sf_buf missing = SF_BUF(SF_MAX_MESSAGE_BYTES);
    for (size_t i = 0; i < l->rules->n_columns; i++)
        if (l->place[i] < 0 && !l->rules->columns[i].is_optional)
            sf_buf_addf(&missing, "%s'%.*s'", missing.n ? ", " : "", SF_ARG(l->rules->columns[i].name));
    struct sf_str list = sf_str_dup(arena, sf_buf_str(&missing));
    sf_buf_free(&missing);
    if (list.n == 0)
        return SF_OK;
    sf_csv_fail_field(header, 0, err, "the header lacks %.*s", SF_ARG(sf_str_slice(list, 0, 300)));
    sf_hint(err, "every column of the rule file that is not optional must be there");
    return SF_E_DATA;
}

enum sf_code sf_layout_read(struct sf_arena *arena, const struct sf_rules *rules, const struct sf_csv_record *header,
                            struct sf_layout *l, struct sf_err *err)
{
    *l = (struct sf_layout){.rules = rules, .n_fields = header->n_fields};
    for (size_t i = 0; i < rules->n_columns; i++)
        l->place[i] = -1;
    l->unknown = SF_NEW_ARRAY(arena, header->n_fields, size_t);
    l->unknown_names = SF_NEW_ARRAY(arena, header->n_fields, struct sf_str);
    for (size_t i = 0; i < header->n_fields; i++) {
        struct sf_str raw = sf_csv_raw(header, i);
        struct sf_str name = sf_text_trim(sf_csv_value(raw, sf_arena_alloc(arena, raw.n + 1)));
        int column = find_by_name(rules, name);
        bool is_page = name.n && name.p[0] == '<';
        if (column < 0 && (rules->contract == SF_CONTRACT_FREEZE || is_page))
            return fail_unknown(rules, header, i, name, err);
        if (column < 0) {
            l->unknown_names[l->n_unknown] = sf_str_dup(arena, name);
            l->unknown[l->n_unknown++] = i;
            continue;
        }
        if (l->place[column] >= 0) {
            sf_csv_fail_field(header, i, err, "column '%.*s' is there twice", SF_ARG(sf_str_slice(name, 0, 60)));
            sf_hint(err, "one of the two must go: they could hold different values");
            return SF_E_DATA;
        }
        l->place[column] = (int)i;
    }
    enum sf_code rc = find_missing(arena, l, header, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < rules->n_dimensions; i++) {
        const struct sf_rule_dimension *d = &rules->dimensions[i];
        size_t first = header->n_fields, last = 0, n = 0;
        for (size_t k = 0; k < d->n_columns; k++) {
            if (l->place[d->columns[k]] < 0)
                continue;
            size_t place = (size_t)l->place[d->columns[k]];
            first = place < first ? place : first;
            last = place > last ? place : last;
            n++;
        }
        l->first[i] = first;
        l->last[i] = last;
        l->is_contiguous[i] = n > 0 && last - first + 1 == n;
    }
    return SF_OK;
}
