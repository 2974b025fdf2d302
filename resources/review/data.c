/* The section "Data": what is in each data set, and what each load would change, year by year. */
#include "attr/dataset.h"
#include "attr/load.h"
#include "resources/review/reviews.h"

enum { MAX_YEARS_LISTED = 6 };

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

static void describe_dataset(const struct sf_review_item *item, struct sf_buf *out)
{
    const struct sf_value *years = sf_map_getz(item->after, DATASET_YEARS);
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

static void add_change(struct sf_buf *out, const char *side, const struct sf_value *before, const struct sf_value *after,
                       const char *key)
{
    int64_t was = sf_map_int(before, key, 0), is = sf_map_int(after, key, 0);
    sf_buf_addf(out, ", %s ", side);
    if (before) {
        add_dollars(out, was);
        if (was == is)
            return;
        sf_buf_addz(out, " -> ");
    }
    add_dollars(out, is);
}

static void describe_year(struct sf_buf *out, struct sf_str year, const struct sf_value *before, const struct sf_value *after)
{
    sf_buf_addf(out, "    FY%.*s ", SF_ARG(year));
    if (!after) {
        sf_buf_addz(out, "is taken out\n");
        return;
    }
    if (before && before->type == SF_V_STRING) { /* what read() found instead of the year it had loaded */
        sf_buf_addf(out, "is loaded again (%.*s)\n", SF_ARG(before->s));
        return;
    }
    add_grouped(out, (uint64_t)sf_map_int(after, "rows", 0));
    sf_buf_addz(out, " rows");
    if (before) {
        sf_buf_addz(out, " (");
        add_grouped(out, (uint64_t)sf_map_int(before, "rows", 0));
        sf_buf_addz(out, " before)");
    }
    add_change(out, "Spending", before, after, "spending_cents");
    add_change(out, "Revenue", before, after, "revenue_cents");
    sf_buf_addc(out, '\n');
}

static void describe_load(const struct sf_review_item *item, struct sf_buf *out)
{
    bool is_new = strcmp(item->action, "create") == 0 || strcmp(item->action, "replace") == 0;
    const struct sf_value *was = is_new ? NULL : sf_map_getz(sf_map_getz(item->before, LOAD_CONTENTS), "years");
    const struct sf_value *will = sf_map_getz(sf_map_getz(item->after, LOAD_CONTENTS), "years");
    if (!will || will->type != SF_V_MAP)
        return;
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
        describe_year(out, year->key, before, year->value);
        listed++;
    }
    for (size_t i = 0; gone && i < was->map.n && listed < MAX_YEARS_LISTED; i++)
        if (!sf_map_get(will, was->map.pairs[i].key)) {
            describe_year(out, was->map.pairs[i].key, was->map.pairs[i].value, NULL);
            listed++;
        }
    if (changed + gone > listed)
        sf_buf_addf(out, "    and %zu more\n", changed + gone - listed);
}

static void write_data(const struct sf_site *site, const struct sf_review_item *items, size_t n, struct sf_buf *out)
{
    (void)site;
    for (size_t i = 0; i < n; i++) {
        if (!items[i].after || strcmp(items[i].action, "no-op") == 0)
            continue;
        if (sf_str_is(items[i].kind, "dataset"))
            describe_dataset(&items[i], out);
        else if (sf_str_is(items[i].kind, "load"))
            describe_load(&items[i], out);
    }
}

const struct sf_review sf_review_data = {.title = "Data", .write = write_data};
