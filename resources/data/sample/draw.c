/* See draw.h. */
#include "resources/data/sample/draw.h"

/* Rows by fiscal year as published in September 2026. The nine years outside the published top twenty are not known one by one;
 * theirs make the two eras add up (522,552 and 254,289). The last year is the open one. */
static const uint32_t year_rows[SF_SAMPLE_YEARS] = {
    23902, 24388, 24797, 25186, 25489, 25721, 25930, 27003, 27219, 27659, 28196, 28579, 28380, 28654, 29387,
    29604, 29873, 30726, 31859, 25764, 25871, 28216, 27852, 26512, 26824, 26769, 26672, 26901, 12908,
};

enum {
    FIRST_CURRENT_YEAR = 2018 - SF_SAMPLE_FIRST_YEAR,
    OPEN_YEAR = SF_SAMPLE_YEARS - 1,
    LARGEST_YEAR = 2017 - SF_SAMPLE_FIRST_YEAR,
    NULL_DEPARTMENT_YEAR = 2012 - SF_SAMPLE_FIRST_YEAR,
    ELIMINATION_ROWS = 2 * 8113,
    WEEKS_OF_GROWTH = 52,
    GROWTH_ROWS = 270,
    /* of the rows that are no elimination; with those the side's share comes to 85.14 % */
    SPENDING_PER_MILLION = 858945,
};

/* What a hash is for. */
enum stream {
    STREAM_YEAR = 1,
    STREAM_PROGRAM,
    STREAM_TYPE,
    STREAM_FUND,
    STREAM_NULL,
    STREAM_AMOUNT,
    STREAM_NEW_FUND,
    STREAM_RESTATED, /* plus the week */
};

/* The finalizer of splitmix64. */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t hash(uint64_t key, uint64_t slot, uint64_t stream)
{
    return mix(mix(key + slot * 0x9e3779b97f4a7c15u) + stream * 0xd1342543de82ef95u);
}

/* --- setting up --- */

static uint32_t era_of(uint32_t year)
{
    return year >= FIRST_CURRENT_YEAR ? SF_SAMPLE_CURRENT : SF_SAMPLE_LEGACY;
}

static uint64_t eliminations_before(uint64_t pair)
{
    return (pair * ELIMINATION_ROWS + SF_SAMPLE_REAL_ROWS / 2) / SF_SAMPLE_REAL_ROWS;
}

/* Rows by year, largest remainder. The open year is even, so that a later week never turns its last row into half an elimination;
 * the last row of an odd year is no elimination. */
static void divide_rows(struct sf_sample_draw *d)
{
    uint64_t given = 0, pairs = 0;
    uint64_t remainder[SF_SAMPLE_YEARS];
    for (uint32_t y = 0; y < SF_SAMPLE_YEARS; y++) {
        d->base_rows[y] = d->spec->rows * year_rows[y] / SF_SAMPLE_REAL_ROWS;
        remainder[y] = d->spec->rows * year_rows[y] % SF_SAMPLE_REAL_ROWS;
        given += d->base_rows[y];
    }
    for (; given < d->spec->rows; given++) {
        uint32_t best = 0;
        for (uint32_t y = 1; y < SF_SAMPLE_YEARS; y++)
            if (remainder[y] > remainder[best])
                best = y;
        d->base_rows[best]++;
        remainder[best] = 0;
    }
    if (d->base_rows[OPEN_YEAR] % 2) {
        d->base_rows[OPEN_YEAR]--;
        d->base_rows[LARGEST_YEAR]++;
    }
    for (uint32_t y = 0; y < SF_SAMPLE_YEARS; y++) {
        d->first_pair[y] = pairs;
        pairs += d->base_rows[y] / 2;
    }
    d->plain_rows = d->spec->rows - 2 * eliminations_before(pairs);

    uint64_t weeks = d->spec->as_of < WEEKS_OF_GROWTH ? d->spec->as_of : WEEKS_OF_GROWTH;
    d->growth = d->spec->rows * GROWTH_ROWS / SF_SAMPLE_REAL_ROWS / 2 * 2;
    d->growth += d->growth == 0 ? 2 : 0;
    for (uint32_t y = 0; y < SF_SAMPLE_YEARS; y++)
        d->first_row[y + 1] = d->first_row[y] + d->base_rows[y] + (y == OPEN_YEAR ? weeks * d->growth : 0);
    d->n_rows = d->first_row[SF_SAMPLE_YEARS];
}

static void make_alias(struct sf_arena *arena, const struct sf_sample_table *table, uint32_t era, int side,
                       struct sf_sample_alias *out)
{
    uint64_t sum = 0;
    out->member = SF_NEW_ARRAY(arena, table->n, uint32_t);
    for (uint32_t i = 0; i < table->n; i++) {
        const struct sf_sample_member *m = &table->member[i];
        if (m->weight == 0 || !(m->eras & 1u << era) || (side >= 0 && m->side != side))
            continue;
        out->member[out->n++] = i;
        sum += m->weight;
    }
    uint64_t *scaled = SF_NEW_ARRAY(arena, out->n, uint64_t);
    uint32_t *small = SF_NEW_ARRAY(arena, out->n, uint32_t), *large = SF_NEW_ARRAY(arena, out->n, uint32_t);
    uint32_t n_small = 0, n_large = 0;
    out->threshold = SF_NEW_ARRAY(arena, out->n, uint32_t);
    out->other = SF_NEW_ARRAY(arena, out->n, uint32_t);
    for (uint32_t i = 0; i < out->n; i++) {
        scaled[i] = (uint64_t)table->member[out->member[i]].weight * out->n;
        if (scaled[i] < sum)
            small[n_small++] = i;
        else
            large[n_large++] = i;
    }
    while (n_small && n_large) {
        uint32_t s = small[--n_small], l = large[n_large - 1];
        out->threshold[s] = (uint32_t)((scaled[s] << 32) / sum); /* sum stays under 2^31 by construction of the weights */
        out->other[s] = l;
        scaled[l] -= sum - scaled[s];
        if (scaled[l] < sum) {
            small[n_small++] = l;
            n_large--;
        }
    }
    while (n_large) {
        out->threshold[large[--n_large]] = UINT32_MAX;
        out->other[large[n_large]] = large[n_large];
    }
    while (n_small) { /* cannot be, in exact arithmetic */
        out->threshold[small[--n_small]] = UINT32_MAX;
        out->other[small[n_small]] = small[n_small];
    }
}

static uint32_t choose(const struct sf_sample_alias *alias, uint64_t h)
{
    uint32_t i = (uint32_t)((h >> 32) * alias->n >> 32);
    return alias->member[(uint32_t)h <= alias->threshold[i] ? i : alias->other[i]];
}

static struct sf_sample_rate rate_of(const struct sf_sample_draw *d, uint64_t real_count, uint64_t kind)
{
    if (d->spec->no_quirks)
        return (struct sf_sample_rate){0, 0};
    uint64_t count = (d->spec->rows * real_count + SF_SAMPLE_REAL_ROWS / 2) / SF_SAMPLE_REAL_ROWS;
    uint64_t phase = hash(d->spec->seed + 0x51ed270b, kind, STREAM_YEAR) % (d->plain_rows ? d->plain_rows : 1);
    return (struct sf_sample_rate){count ? count : 1, phase};
}

static bool is_elimination(const struct sf_sample_draw *d, uint32_t year, uint64_t slot)
{
    uint64_t pair = slot / 2;
    /* the last row of an odd year has no opposite */
    if (year != OPEN_YEAR && pair * 2 + 1 >= d->base_rows[year])
        return false;
    pair += d->first_pair[year];
    return eliminations_before(pair + 1) > eliminations_before(pair);
}

static bool occurs(const struct sf_sample_draw *d, const struct sf_sample_rate *rate, uint64_t plain)
{
    return rate->count && (plain * rate->count + rate->phase) % d->plain_rows < rate->count;
}

/* The slot's place among the rows that are no elimination, counted from the first year; goes on past week 0. */
static uint64_t plain_place(const struct sf_sample_draw *d, uint32_t year, uint64_t slot)
{
    return d->first_row[year] + slot - 2 * eliminations_before(d->first_pair[year] + slot / 2);
}

static bool has_null(const struct sf_sample_draw *d, uint64_t plain)
{
    return occurs(d, &d->null_program, plain) || occurs(d, &d->null_type, plain) || occurs(d, &d->null_category, plain) ||
           occurs(d, &d->null_fund, plain);
}

/* Whether a slot exists in week 0 and nothing peculiar is in it. */
static bool is_free(const struct sf_sample_draw *d, uint32_t year, uint32_t slot)
{
    if (slot >= d->base_rows[year] || is_elimination(d, year, slot) || d->shown[year][slot].what)
        return false;
    uint64_t plain = plain_place(d, year, slot);
    return !has_null(d, plain) && !occurs(d, &d->zero, plain);
}

/* Takes the next free slot near the front of a year of the era, year after year; a sample of a few rows has no room. */
static void show(struct sf_sample_draw *d, uint32_t era, uint32_t what, uint32_t member)
{
    uint32_t first = era ? FIRST_CURRENT_YEAR : 0, last = era ? OPEN_YEAR : FIRST_CURRENT_YEAR - 1u;
    for (uint32_t slot = 2; slot < SF_SAMPLE_SHOWN_SLOTS; slot++) {
        for (uint32_t year = first; year <= last; year++) {
            if (!is_free(d, year, slot))
                continue;
            d->shown[year][slot] = (struct sf_sample_shown_slot){(uint8_t)what, member};
            return;
        }
    }
}

/* Gives each member that must show a row of its own, and a row without a department and two duplicates theirs. */
static void place_shown(struct sf_sample_draw *d)
{
    const struct sf_sample_table *tables[] = {&d->members->program, &d->members->type, &d->members->fund};
    uint32_t n_duplicates = 0, slot = 0;
    while (slot < SF_SAMPLE_SHOWN_SLOTS / 2 && !is_free(d, NULL_DEPARTMENT_YEAR, slot))
        slot++;
    d->shown[NULL_DEPARTMENT_YEAR][slot] = (struct sf_sample_shown_slot){SF_SHOWN_NULL_DEPARTMENT, d->members->null_department};
    /* an odd slot copies the one before it */
    for (uint32_t y = 1; y < SF_SAMPLE_YEARS && n_duplicates < 2; y++) {
        if (is_free(d, y, 0) && is_free(d, y, 1)) {
            d->shown[y][0].what = SF_SHOWN_ORDINARY;
            d->shown[y][1] = (struct sf_sample_shown_slot){SF_SHOWN_DUPLICATE, n_duplicates++};
        }
    }
    for (uint32_t t = 0; t < SF_COUNT(tables); t++)
        for (uint32_t i = 0; i < tables[t]->n; i++)
            if (tables[t]->member[i].is_shown)
                show(d, tables[t]->member[i].eras >> 1 & 1, SF_SHOWN_PROGRAM + t, i);
}

/* Which weeks restated which years: the year just closed in every second week, one older year in every fourth. */
static void plan_restatements(struct sf_arena *arena, struct sf_sample_draw *d)
{
    for (uint32_t y = 0; y < SF_SAMPLE_YEARS; y++)
        d->restated[y] = SF_NEW_ARRAY(arena, d->spec->as_of + 1u, struct sf_sample_restatement);
    for (uint32_t week = 1; week <= d->spec->as_of; week++) {
        uint64_t h = hash(d->spec->seed + 0x7f4a7c15, week, STREAM_RESTATED);
        uint32_t permille_times_2 = 2 + (uint32_t)(h >> 40) % 19; /* 0.1 to 1 % */
        uint32_t threshold = permille_times_2 * (UINT32_MAX / 2000);
        uint32_t years[3] = {OPEN_YEAR}, n = 1;
        if (week % 2 == 0)
            years[n++] = OPEN_YEAR - 1;
        if (week % 4 == 1)
            years[n++] = (uint32_t)(h % (OPEN_YEAR - 1));
        for (uint32_t i = 0; i < n; i++)
            d->restated[years[i]][d->n_restated[years[i]]++] = (struct sf_sample_restatement){week, threshold};
    }
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

void sf_sample_draw_init(struct sf_arena *arena, const struct sf_sample_spec *spec, const struct sf_sample_members *members,
                         struct sf_sample_draw *out)
{
    struct sf_sample_draw *d = out;
    memset(d, 0, sizeof *d);
    d->spec = spec;
    d->members = members;
    divide_rows(d);
    for (uint32_t y = 0; y < SF_SAMPLE_YEARS; y++) {
        d->year_key[y] = hash(mix(spec->seed + 0x2545f491), y, STREAM_YEAR);
        d->year_phase[y] = mix(d->year_key[y] + 1);
    }
    d->null_program = rate_of(d, 413, 1);
    d->null_type = rate_of(d, 246, 2);
    d->null_category = rate_of(d, 3262, 3);
    d->null_fund = rate_of(d, 5, 4);
    d->zero = rate_of(d, 669, 5); /* and the row without a department */
    d->round = rate_of(d, 6000, 6);
    d->duplicate = rate_of(d, 3100, 7); /* only those in odd slots count: half */
    for (uint32_t era = 0; era < SF_SAMPLE_ERAS; era++) {
        make_alias(arena, &members->program, era, -1, &d->program[era]);
        make_alias(arena, &members->fund, era, -1, &d->fund[era]);
        for (int side = 0; side < SF_SAMPLE_SIDES; side++)
            make_alias(arena, &members->type, era, side, &d->type[era][side]);
    }
    if (!spec->no_quirks)
        place_shown(d);
    plan_restatements(arena, d);
    if (spec->shuffle && d->n_rows > 2) {
        d->stride = d->n_rows * 618034 / 1000000 + 1;
        while (common_divisor(d->stride, d->n_rows) != 1)
            d->stride++;
        d->offset = mix(spec->seed + 9) % d->n_rows;
    }
}

/* --- one row --- */

/* The last restatement that took this slot; NULL if none did. Both rows of an elimination go together. */
static const struct sf_sample_restatement *restatement_of(const struct sf_sample_draw *d, uint32_t year, uint64_t slot)
{
    for (uint32_t i = d->n_restated[year]; i-- > 0;) {
        const struct sf_sample_restatement *r = &d->restated[year][i];
        bool was_there = year != OPEN_YEAR || slot < d->base_rows[year] + (r->week - 1) * d->growth;
        if (was_there && (uint32_t)hash(d->year_key[year], slot, STREAM_RESTATED + r->week) < r->threshold)
            return r;
    }
    return NULL;
}

/* Another amount, 90 to 110 % of the old one and never equal to it. */
static uint64_t restate(uint64_t cents, uint64_t h)
{
    uint64_t changed = cents / 1000 * (900 + h % 201) + cents % 1000;
    return changed == cents ? cents + 1 : changed;
}

static uint32_t plain_fund(const struct sf_sample_draw *d, uint32_t year, uint64_t slot, struct sf_sample_row *row)
{
    uint64_t h = hash(d->year_key[year], slot, STREAM_FUND);
    if (year == OPEN_YEAR && slot >= d->base_rows[year]) {
        /* funds that were opened before this row came: one each fifth week from the third */
        uint64_t week = (slot - d->base_rows[year]) / d->growth + 1;
        uint64_t n = (week + 2) / 5;
        uint64_t pick = hash(d->year_key[year], slot, STREAM_NEW_FUND);
        if (n && pick % 25 == 0) {
            row->traits |= SF_TRAIT(NEW_FUND);
            return d->members->new_fund[(pick >> 32) % (n < SF_SAMPLE_NEW_FUNDS ? n : SF_SAMPLE_NEW_FUNDS)];
        }
    }
    return choose(&d->fund[era_of(year)], h);
}

static void draw_elimination(const struct sf_sample_draw *d, uint32_t year, uint64_t slot, struct sf_sample_row *row)
{
    uint64_t first = slot & ~1ull, key = d->year_key[year];
    uint64_t h = hash(key, first, STREAM_AMOUNT);
    row->side = slot & 1 ? SF_SAMPLE_SPENDING : SF_SAMPLE_REVENUE;
    row->program = choose(&d->program[era_of(year)], hash(key, first, STREAM_PROGRAM));
    row->fund = choose(&d->fund[era_of(year)], hash(key, first, STREAM_FUND));
    row->type = d->members->elimination[row->side];
    row->traits = row->side == SF_SAMPLE_SPENDING ? SF_TRAIT(ELIMINATION_USE) : SF_TRAIT(ELIMINATION_SOURCE);
    uint64_t cents = sf_sample_amount(SF_SAMPLE_SPENDING, year, (uint32_t)(h >> 33), mix(h));
    const struct sf_sample_restatement *r = restatement_of(d, year, first);
    if (r) {
        cents = restate(cents, hash(key, first, STREAM_RESTATED + 1000 + r->week));
        row->traits |= SF_TRAIT(RESTATED);
    }
    bool is_negative = (mix(h + 1) & 1) == (slot & 1);
    row->cents = is_negative ? -(int64_t)cents : (int64_t)cents;
}

/* The amount alone; `row->side` must be known. */
static void draw_amount(const struct sf_sample_draw *d, uint32_t year, uint64_t slot, uint64_t plain, uint32_t u,
                        struct sf_sample_row *row)
{
    uint64_t key = d->year_key[year], h = hash(key, slot, STREAM_AMOUNT);
    if (occurs(d, &d->zero, plain)) {
        row->cents = 0;
        row->traits |= SF_TRAIT(ZERO_AMOUNT);
        return;
    }
    uint64_t cents;
    if (occurs(d, &d->round, plain)) {
        cents = sf_sample_round_amount(h);
        row->traits |= SF_TRAIT(ROUND_AMOUNT);
    } else {
        cents = sf_sample_amount(row->side, year, u, mix(h));
        if (h % 10 == 0 && cents >= 1000) { /* a tenth has two or three digits and zeros, as estimates do */
            uint64_t unit = 1;
            while (cents / unit >= (h % 20 ? 1000 : 100))
                unit *= 10;
            cents = cents / unit * unit;
        }
    }
    const struct sf_sample_restatement *r = restatement_of(d, year, slot);
    if (r) {
        cents = restate(cents, hash(key, slot, STREAM_RESTATED + 1000 + r->week));
        row->traits |= SF_TRAIT(RESTATED);
    }
    /* corrections are seldom large: 8.5 % of all, hardly any of the top thousandth */
    uint32_t top = UINT32_C(1) << 31;
    uint32_t per_thousand = u < top - top / 100 ? 85 : u < top - top / 1000 ? 30 : 5;
    bool is_negative = (h >> 8) % 1000 < per_thousand;
    row->cents = is_negative ? -(int64_t)cents : (int64_t)cents;
}

static void draw_plain(const struct sf_sample_draw *d, uint32_t year, uint64_t slot, struct sf_sample_row *row)
{
    uint32_t era = era_of(year);
    uint64_t key = d->year_key[year], plain = plain_place(d, year, slot);
    const struct sf_sample_shown_slot *shown = slot < SF_SAMPLE_SHOWN_SLOTS ? &d->shown[year][slot] : NULL;
    uint64_t h = hash(key, slot, STREAM_NULL);

    /* one evenly spread number decides side and amount, so that a year's sums hardly depend on luck */
    uint32_t v = (uint32_t)((d->year_phase[year] + slot * 0x9e3779b97f4a7c15u) >> 32);
    const uint32_t split = (uint32_t)((uint64_t)SPENDING_PER_MILLION * (1ull << 32) / 1000000);
    row->side = v < split ? SF_SAMPLE_SPENDING : SF_SAMPLE_REVENUE;
    uint32_t u = row->side == SF_SAMPLE_SPENDING ? (uint32_t)(((uint64_t)v << 31) / split)
                                                 : (uint32_t)(((uint64_t)(v - split) << 31) / ((1ull << 32) - split));
    row->program = choose(&d->program[era], hash(key, slot, STREAM_PROGRAM));
    row->fund = plain_fund(d, year, slot, row);
    uint32_t type = shown && shown->what == SF_SHOWN_TYPE ? shown->member : UINT32_MAX;
    if (occurs(d, &d->null_type, plain))
        type = d->members->null_type;
    if (type != UINT32_MAX) {
        row->type = type;
        row->side = d->members->type.member[type].side;
    } else {
        row->type = choose(&d->type[era][row->side], hash(key, slot, STREAM_TYPE));
    }
    if (shown && shown->what == SF_SHOWN_PROGRAM)
        row->program = shown->member;
    if (shown && shown->what == SF_SHOWN_FUND)
        row->fund = shown->member;
    if (occurs(d, &d->null_program, plain))
        row->program = d->members->null_program[era][h % SF_SAMPLE_NULL_MEMBERS];
    if (occurs(d, &d->null_category, plain))
        row->fund = d->members->null_category[era][(h >> 16) % SF_SAMPLE_NULL_MEMBERS];
    if (occurs(d, &d->null_fund, plain))
        row->fund = d->members->null_fund[era];
    draw_amount(d, year, slot, plain, u, row);
    if (shown && shown->what == SF_SHOWN_NULL_DEPARTMENT) {
        row->program = shown->member;
        row->cents = 0;
        row->traits = SF_TRAIT(ZERO_AMOUNT);
    }
    /* every eighth restated row moves to another fund */
    if (row->traits & SF_TRAIT(RESTATED) && !shown) {
        const struct sf_sample_restatement *r = restatement_of(d, year, slot);
        uint64_t move = hash(key, slot, STREAM_RESTATED + 2000 + r->week);
        uint32_t fund = choose(&d->fund[era], mix(move));
        if (move % 8 == 0 && fund != row->fund && d->members->fund.member[row->fund].weight) {
            row->fund = fund;
            row->traits = (row->traits & ~SF_TRAIT(NEW_FUND)) | SF_TRAIT(RECLASSIFIED);
        }
    }
}

/* Whether a slot copies the members of the one before: an odd one, with nothing else peculiar about either. */
static bool is_duplicate(const struct sf_sample_draw *d, uint32_t year, uint64_t slot, uint64_t plain)
{
    if (!(slot & 1))
        return false;
    if (slot < SF_SAMPLE_SHOWN_SLOTS)
        return d->shown[year][slot].what == SF_SHOWN_DUPLICATE;
    return occurs(d, &d->duplicate, plain) && !has_null(d, plain) && !has_null(d, plain - 1);
}

static void locate(const struct sf_sample_draw *d, uint64_t i, uint32_t *year, uint64_t *slot)
{
    if (d->stride)
        i = (i * d->stride + d->offset) % d->n_rows;
    uint32_t low = 0, high = SF_SAMPLE_YEARS - 1;
    while (low < high) {
        uint32_t middle = (low + high + 1) / 2;
        if (d->first_row[middle] <= i)
            low = middle;
        else
            high = middle - 1;
    }
    *year = low;
    *slot = i - d->first_row[low];
}

void sf_sample_draw_row(const struct sf_sample_draw *d, uint64_t i, struct sf_sample_row *row)
{
    uint32_t year;
    uint64_t slot;
    locate(d, i, &year, &slot);
    *row = (struct sf_sample_row){.year = year};
    if (is_elimination(d, year, slot)) {
        draw_elimination(d, year, slot, row);
    } else {
        draw_plain(d, year, slot, row);
        if (!d->spec->no_quirks && is_duplicate(d, year, slot, plain_place(d, year, slot))) {
            struct sf_sample_row before = {.year = year};
            draw_plain(d, year, slot - 1, &before);
            int64_t cents = row->cents;
            uint32_t kept = row->traits;
            *row = before;
            row->traits |= SF_TRAIT(DUPLICATE_KEY);
            bool is_whole = slot < SF_SAMPLE_SHOWN_SLOTS ? d->shown[year][slot].member == 1
                                                         : hash(d->year_key[year], slot, STREAM_NULL) % 4 == 0;
            if (is_whole || before.cents == cents) {
                row->traits |= SF_TRAIT(DUPLICATE_ROW);
            } else {
                row->cents = cents;
                row->traits = SF_TRAIT(DUPLICATE_KEY) |
                              (kept & (SF_TRAIT(ZERO_AMOUNT) | SF_TRAIT(ROUND_AMOUNT) | SF_TRAIT(RESTATED))) |
                              (before.traits & (SF_TRAIT(NEW_FUND) | SF_TRAIT(RECLASSIFIED)));
            }
        }
    }
    row->traits |= row->cents < 0 ? SF_TRAIT(NEGATIVE_AMOUNT) : 0;
}
