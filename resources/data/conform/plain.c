/* See plain.h. A column at a time, and no branch that depends on what a row says: guesses about that cost more than all of it. */
#include "resources/data/conform/plain.h"

#include "resources/data/conform/text.h"

#include <endian.h>

enum { WORD = sizeof(uint64_t), YEAR_DIGITS = 4 };

static inline uint64_t load_word(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return le64toh(word);
}

/* The first of at most eight bytes, in a word, zeros above; `p` is readable for eight. */
static inline uint64_t load_few(const char *p, size_t n)
{
    return load_word(p) & (n < WORD ? ((uint64_t)1 << 8 * n) - 1 : UINT64_MAX);
}

void sf_plain_open(struct sf_parser *p)
{
    const struct sf_layout *l = p->layout;
    const struct sf_rules *rules = l->rules;
    struct sf_plain *plain = &p->plain;
    *plain = (struct sf_plain){.stamps = {-1, -1}};
    const int stamps[] = {rules->as_of_column, rules->loaded_at_column};
    for (size_t i = 0; i < SF_COUNT(stamps); i++)
        plain->stamps[i] = stamps[i] < 0 ? -1 : l->place[stamps[i]];
    plain->year = l->place[rules->year_column];
    plain->amount = l->place[rules->measures[0].column];
    plain->side = rules->n_sides ? l->place[rules->side_column] : 0;
    bool has_all = plain->year >= 0 && plain->amount >= 0 && plain->side >= 0;
    bool has_more = rules->n_details || rules->n_measures > 1 || (rules->contract == SF_CONTRACT_DISCARD_ROW && l->n_unknown);
    plain->is_expected = has_all && !has_more;
    for (size_t i = 0; i < rules->n_sides; i++) {
        char padded[WORD] = {0};
        struct sf_str text = rules->sides[i].text;
        if (text.n > sizeof padded)
            continue; /* of length 0: no field is */
        memcpy(padded, text.p, text.n);
        plain->sides[i].n = text.n;
        plain->sides[i].word = load_word(padded);
    }
}

/* A bit a record: whether it has this stamp. */
static uint32_t read_stamp(struct sf_str stamp, const struct sf_csv_record *records, size_t n, size_t place)
{
    uint32_t same = 0;
    for (size_t i = 0; i < n; i++) {
        struct sf_str raw = sf_csv_raw(&records[i], place);
        uint64_t differ = raw.n ^ stamp.n;
        if (differ == 0) {
            size_t k = 0;
            for (; k + WORD < stamp.n; k += WORD)
                differ |= load_word(raw.p + k) ^ load_word(stamp.p + k);
            differ |= load_few(raw.p + k, stamp.n - k) ^ load_few(stamp.p + k, stamp.n - k);
        }
        same |= (uint32_t)(differ == 0) << i;
    }
    return same;
}

static uint32_t read_years(const struct sf_rules *rules, const struct sf_csv_record *records, size_t n, size_t place,
                           struct sf_plain_row *out)
{
    const uint32_t zeros = 0x30303030, beyond_nine = 0x76767676, tops = 0x80808080;
    uint32_t good = 0;
    for (size_t i = 0; i < n; i++) {
        struct sf_str raw = sf_csv_raw(&records[i], place);
        uint32_t digits = (uint32_t)load_word(raw.p) ^ zeros;
        uint32_t year = (digits & 15) * 1000 + (digits >> 8 & 15) * 100 + (digits >> 16 & 15) * 10 + (digits >> 24 & 15);
        out[i].year = year - (uint32_t)rules->min_year;
        bool is_good = raw.n == YEAR_DIGITS && ((digits | (digits + beyond_nine)) & tops) == 0 &&
                       out[i].year <= (uint32_t)(rules->max_year - rules->min_year);
        good |= (uint32_t)is_good << i;
    }
    return good;
}

static uint32_t read_sides(const struct sf_parser *p, const struct sf_csv_record *records, size_t n, struct sf_plain_row *out)
{
    size_t n_sides = p->layout->rules->n_sides;
    uint32_t good = 0;
    for (size_t i = 0; i < n; i++) {
        struct sf_str raw = sf_csv_raw(&records[i], (size_t)p->plain.side);
        uint64_t word = load_few(raw.p, raw.n);
        uint32_t side = UINT32_MAX;
        for (size_t k = n_sides; k-- > 0;)
            side = word == p->plain.sides[k].word && raw.n == p->plain.sides[k].n && raw.n ? (uint32_t)k : side;
        out[i].side = side;
        good |= (uint32_t)(side != UINT32_MAX) << i;
    }
    return good;
}

static uint32_t read_amounts(const struct sf_csv_record *records, size_t n, size_t place, struct sf_plain_row *out)
{
    uint32_t good = 0;
    for (size_t i = 0; i < n; i++) {
        struct sf_str raw = sf_csv_raw(&records[i], place);
        good |= (uint32_t)sf_text_plain_money(raw.p, raw.n, &out[i].cents) << i;
    }
    return good;
}

uint32_t sf_plain_read(const struct sf_parser *p, const struct sf_csv_record *records, size_t n, struct sf_plain_row *out)
{
    const struct sf_rules *rules = p->layout->rules;
    const struct sf_plain *plain = &p->plain;
    if (!plain->is_expected || !p->has_stamps)
        return 0;
    uint32_t good = read_years(rules, records, n, (size_t)plain->year, out);
    good &= read_amounts(records, n, (size_t)plain->amount, out);
    for (size_t i = 0; i < SF_COUNT(plain->stamps); i++)
        if (plain->stamps[i] >= 0)
            good &= read_stamp(p->raw_stamps[i], records, n, (size_t)plain->stamps[i]);
    for (size_t i = 0; i < n; i++)
        out[i].side = 0;
    return rules->n_sides ? good & read_sides(p, records, n, out) : good;
}
