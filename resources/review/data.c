/* The section "Data": what is in each data set, and what each load would change, year by year. */
#include "attr/dataset.h"
#include "attr/load.h"
#include "resources/data/dataset_attrs.h"
#include "resources/data/delta.h"
#include "resources/review/reviews.h"

enum { MAX_YEARS_LISTED = 6 };
#define TOTAL_SUFFIX "_cents" /* of the keys of a year's totals */

/* What a load is described with. */
struct look {
    struct sf_arena *arena;
    const char *cache_dir;
    const struct sf_value *kept; /* evaluations: which object holds which rows; read when first needed */
    struct sf_buf *out;
    bool is_uncompared; /* a year was, since the file that holds what is published is not in the cache */
};

/* 1234567 -> "1,234,567". */
static void add_grouped(struct sf_buf *out, uint64_t n)
{
    char digits[32];
    size_t length = 0;
    do {
        if (length % 4 == 3)
            digits[length++] = ',';
        digits[length++] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    while (length)
        sf_buf_addc(out, digits[--length]);
}

static void add_dollars(struct sf_buf *out, int64_t cents)
{
    uint64_t size = cents < 0 ? 0 - (uint64_t)cents : (uint64_t)cents;
    sf_buf_addz(out, cents < 0 ? "-$" : "$");
    add_grouped(out, size / 100);
    sf_buf_addf(out, ".%02u", (unsigned)(size % 100));
}

/* Rows that are not conformed yet. */
static void describe_raw(const struct sf_review_item *item, const struct sf_value *files, struct sf_buf *out)
{
    int64_t rows = 0;
    for (size_t i = 0; i < files->map.n; i++)
        rows += sf_map_int(files->map.pairs[i].value, FILE_ROWS, 0);
    sf_buf_addf(out, "  %.*s: ", SF_ARG(item->address));
    add_grouped(out, (uint64_t)rows);
    sf_buf_addf(out, " rows of the source in %zu file%s, to be conformed in the warehouse\n", files->map.n,
                files->map.n == 1 ? "" : "s");
    if (sf_map_bool(item->after, DATASET_IS_SAMPLE, false))
        sf_buf_addz(out, "    SAMPLE DATA, NOT THE CITY'S FIGURES\n");
}

static void describe_dataset(const struct sf_review_item *item, struct sf_buf *out)
{
    const struct sf_value *years = sf_map_getz(item->after, DATASET_YEARS), *raw = sf_map_getz(item->after, DATASET_RAW);
    if (raw && raw->type == SF_V_MAP)
        describe_raw(item, raw, out);
    if (!years || years->type != SF_V_MAP || years->map.n == 0)
        return;
    sf_buf_addf(out, "  %.*s: ", SF_ARG(item->address));
    add_grouped(out, (uint64_t)sf_map_int(item->after, DATASET_ROWS, 0));
    sf_buf_addf(out, " rows, fiscal years %.*s to %.*s", SF_ARG(years->map.pairs[0].key),
                SF_ARG(years->map.pairs[years->map.n - 1].key));
    int64_t rejected = sf_map_int(item->after, DATASET_REJECTED, 0);
    if (rejected) {
        sf_buf_addz(out, ", ");
        add_grouped(out, (uint64_t)rejected);
        sf_buf_addz(out, " rejected");
    }
    sf_buf_addc(out, '\n');
    if (sf_map_bool(item->after, DATASET_IS_SAMPLE, false))
        sf_buf_addz(out, "    SAMPLE DATA, NOT THE CITY'S FIGURES\n");
}

/* "vouchers_paid_cents" -> "Vouchers paid". */
static void add_label(struct sf_buf *out, struct sf_str key)
{
    for (size_t i = 0; i + strlen(TOTAL_SUFFIX) < key.n; i++)
        sf_buf_addc(out, i == 0 && key.p[i] >= 'a' && key.p[i] <= 'z' ? (char)(key.p[i] - 'a' + 'A')
                         : key.p[i] == '_'                            ? ' '
                                                                      : key.p[i]);
}

/* ", Spending $1.00 -> $2.00, Revenue $3.00": every total of the year, both numbers where they differ. */
static void add_totals(struct sf_buf *out, const struct sf_value *before, const struct sf_value *after)
{
    const struct sf_value *listed = after ? after : before;
    for (size_t i = 0; listed && i < listed->map.n; i++) {
        struct sf_str key = listed->map.pairs[i].key;
        if (!sf_str_ends(key, SF_STR(TOTAL_SUFFIX)) || listed->map.pairs[i].value->type != SF_V_INT)
            continue;
        const struct sf_value *first = sf_map_get(before, key), *last = sf_map_get(after, key);
        int64_t was = first && first->type == SF_V_INT ? first->i : 0, is = last && last->type == SF_V_INT ? last->i : 0;
        sf_buf_addz(out, ", ");
        add_label(out, key);
        sf_buf_addc(out, ' ');
        if (before && was != is) {
            add_dollars(out, was);
            sf_buf_addz(out, " -> ");
        }
        add_dollars(out, is);
    }
}

/* The object with these rows. False: it is not in the cache. */
static bool find_object(struct look *look, struct sf_str year, const struct sf_value *facts, struct sf_str *key)
{
    *key = SF_STR_NONE;
    if (!facts)
        return true;
    if (!look->kept)
        look->kept = sf_delta_kept(look->arena, look->cache_dir);
    *key = sf_delta_find(look->kept, year, sf_map_str(facts, FILE_DIGEST));
    return key->n > 0;
}

/* " +1,204 ~31 -2 rows"; false when it takes a file that is not in the cache. */
static bool add_rows(struct look *look, struct sf_str year, const struct sf_value *before, const struct sf_value *after)
{
    struct sf_delta delta;
    struct sf_str was, is;
    if (!find_object(look, year, before, &was) || !find_object(look, year, after, &is) ||
        sf_delta_count(look->arena, look->cache_dir, was, is, &delta, NULL))
        return false;
    const struct {
        char sign;
        uint64_t n;
    } parts[] = {{'+', delta.added}, {'~', delta.changed}, {'-', delta.removed}};
    for (size_t i = 0; i < SF_COUNT(parts); i++) {
        if (parts[i].n == 0)
            continue;
        sf_buf_addf(look->out, " %c", parts[i].sign);
        add_grouped(look->out, parts[i].n);
    }
    uint64_t n = delta.added + delta.changed + delta.removed;
    sf_buf_addz(look->out, n > 1 ? " rows" : n ? " row" : " no row differs");
    return true;
}

static void describe_year(struct look *look, struct sf_str year, const struct sf_value *before, const struct sf_value *after)
{
    struct sf_buf *out = look->out;
    sf_buf_addf(out, "    FY%.*s", SF_ARG(year));
    if (before && before->type == SF_V_STRING) { /* what read() found instead of the year it had loaded */
        sf_buf_addf(out, " is %s (%.*s)\n", after ? "loaded again" : "taken out", SF_ARG(before->s));
        return;
    }
    if (!add_rows(look, year, before, after)) {
        sf_buf_addc(out, ' ');
        add_grouped(out, (uint64_t)sf_map_int(after, FILE_ROWS, 0));
        sf_buf_addz(out, " rows");
        if (before) {
            sf_buf_addz(out, " (");
            add_grouped(out, (uint64_t)sf_map_int(before, FILE_ROWS, 0));
            sf_buf_addz(out, " before)");
            look->is_uncompared = true;
        }
    }
    add_totals(out, before, after);
    sf_buf_addz(out, after ? "\n" : "; the year is taken out\n");
}

/* Whether it is known what the load would publish. */
static bool is_known_load(const struct sf_review_item *item)
{
    const struct sf_value *years = sf_map_getz(sf_map_getz(item->after, LOAD_CONTENTS), "years");
    return years && years->type == SF_V_MAP;
}

/* One that conforms in the warehouse: what it comes to is not known before, but what was edited since is. */
static void describe_raw_load(const struct sf_review_item *item, struct sf_buf *out)
{
    bool is_new = strcmp(item->action, "create") == 0 || strcmp(item->action, "replace") == 0;
    const struct sf_value *was = is_new ? NULL : sf_map_getz(sf_map_getz(item->before, LOAD_CONTENTS), "years");
    sf_buf_addf(out, "  %.*s: rows conformed in the warehouse: years, rows and totals are known after the load\n",
                SF_ARG(item->address));
    for (size_t i = 0; was && was->type == SF_V_MAP && i < was->map.n; i++)
        if (was->map.pairs[i].value->type == SF_V_STRING)
            sf_buf_addf(out, "    FY%.*s is loaded again (%.*s)\n", SF_ARG(was->map.pairs[i].key),
                        SF_ARG(was->map.pairs[i].value->s));
}

static void describe_load(const struct sf_site *site, const struct sf_review_item *item, struct sf_buf *out)
{
    struct look look = {.arena = sf_arena_new(), .cache_dir = site->cache_dir, .out = out};
    bool is_new = strcmp(item->action, "create") == 0 || strcmp(item->action, "replace") == 0;
    const struct sf_value *was = is_new ? NULL : sf_map_getz(sf_map_getz(item->before, LOAD_CONTENTS), "years");
    const struct sf_value *will = sf_map_getz(sf_map_getz(item->after, LOAD_CONTENTS), "years");
    /* from sample to the city's figures or back: every year is loaded again */
    const struct sf_value *kind = is_new ? NULL : sf_map_getz(sf_map_getz(item->before, LOAD_CONTENTS), "sample");
    bool is_all =
        kind && kind->type == SF_V_BOOL && kind->b != sf_map_bool(sf_map_getz(item->after, LOAD_CONTENTS), "sample", kind->b);
    size_t changed = 0, gone = 0;
    for (size_t i = 0; i < will->map.n; i++)
        changed += is_all || !sf_value_equal(sf_map_get(was, will->map.pairs[i].key), will->map.pairs[i].value);
    for (size_t i = 0; was && was->type == SF_V_MAP && i < was->map.n; i++)
        gone += !sf_map_get(will, was->map.pairs[i].key);
    sf_buf_addf(out, "  %.*s: %zu of %zu years to load", SF_ARG(item->address), changed, will->map.n);
    if (gone)
        sf_buf_addf(out, ", %zu to take out", gone);
    sf_buf_addc(out, '\n');
    size_t listed = 0;
    for (size_t i = will->map.n; i-- > 0 && listed < MAX_YEARS_LISTED;) { /* newest first */
        const struct sf_pair *year = &will->map.pairs[i];
        const struct sf_value *before = sf_map_get(was, year->key);
        if (!is_all && sf_value_equal(before, year->value))
            continue;
        describe_year(&look, year->key, before, year->value);
        listed++;
    }
    for (size_t i = 0; gone && i < was->map.n && listed < MAX_YEARS_LISTED; i++)
        if (!sf_map_get(will, was->map.pairs[i].key)) {
            describe_year(&look, was->map.pairs[i].key, was->map.pairs[i].value, NULL);
            listed++;
        }
    if (changed + gone > listed)
        sf_buf_addf(out, "    and %zu more\n", changed + gone - listed);
    if (look.is_uncompared)
        sf_buf_addz(out,
                    "    (not compared row by row: what is published was conformed elsewhere, or the cache was emptied since)\n");
    sf_arena_free(look.arena);
}

static void write_data(const struct sf_site *site, const struct sf_review_item *items, size_t n, struct sf_buf *out)
{
    for (size_t i = 0; i < n; i++) {
        if (!items[i].after || strcmp(items[i].action, "no-op") == 0)
            continue;
        if (sf_str_is(items[i].kind, "dataset"))
            describe_dataset(&items[i], out);
        else if (sf_str_is(items[i].kind, "load") && sf_map_getz(sf_map_getz(items[i].after, LOAD_CONTENTS), "raw"))
            describe_raw_load(&items[i], out);
        else if (sf_str_is(items[i].kind, "load") && is_known_load(&items[i]))
            describe_load(site, &items[i], out);
    }
}

const struct sf_review sf_review_data = {.title = "Data", .write = write_data};
