/* Funds: fund type -> fund -> fund category.
 *
 * The measured shape: six fund types and ten funds keep their name but change their code in FY2018 (three of the funds under
 * the same type), 617 funds in all, 835 paths down to the category. The General Fund carries a quarter of all rows. */
#include "resources/data/sample/members.h"

#include "resources/data/sample/words.h"

enum {
    LEGACY_FUNDS = 300,
    NEW_FUNDS = 327,
    SHARED_FUNDS = 10,
    SHARED_PATHS = 3, /* of them: under the same type too */
    NAME_STRIDE = 43,
    GENERAL_FUND = 0, /* index into either era's funds */
    GENERAL_FUND_TYPE = 1,
    WEIGHT = 10000000,
    GENERAL_FUND_PERCENT = 26,
    LEGACY_TYPES = SF_SAMPLE_SHARED_FUND_TYPES + SF_SAMPLE_LEGACY_FUND_TYPES,
    NEW_TYPES = SF_SAMPLE_SHARED_FUND_TYPES + SF_SAMPLE_NEW_FUND_TYPES,
};

/* Funds per type, largest first (the type of the special revenue funds). */
static const uint8_t legacy_sizes[LEGACY_TYPES] = {80, 4, 52, 20, 10, 16, 12, 9, 11, 13, 8, 9, 6, 4, 24, 12, 3, 5, 2};
static const uint8_t new_sizes[NEW_TYPES] = {115, 5, 44, 14, 12, 18, 12, 8, 13, 13, 9, 10, 6, 5, 20, 6, 4, 7, 4, 2};

static struct sf_str fund_name(struct sf_arena *arena, const struct sf_sample_spec *spec, uint32_t id)
{
    if (id == GENERAL_FUND)
        return SF_STR("General Fund");
    if (id == 17 && !spec->no_quirks)
        return SF_STR("Bay Trail \xe2\x80\x93 Shoreline Fund"); /* en dash */
    uint32_t total = sf_sample_fund_first.n * sf_sample_fund_second.n;
    uint32_t at = id * NAME_STRIDE % total;
    return sf_str_fmt(arena, "%s %s", sf_sample_fund_first.word[at % sf_sample_fund_first.n],
                      sf_sample_fund_second.word[at / sf_sample_fund_first.n]);
}

/* The type of the f-th fund of an era: the first three in given shared types, the others as the sizes say. */
static uint32_t type_of(const uint8_t *sizes, uint32_t f)
{
    static const uint8_t first[SHARED_PATHS] = {GENERAL_FUND_TYPE, 0, 2};
    if (f < SHARED_PATHS)
        return first[f];
    uint32_t left = f - SHARED_PATHS, t = 0;
    for (;; t++) {
        uint32_t room = sizes[t] - (t < SHARED_PATHS ? 1u : 0u);
        if (left < room)
            return t;
        left -= room;
    }
}

/* New funds 0..2 are legacy funds 0..2; new ones 3..9 have the names of the last legacy ones, under another type. */
static uint32_t name_of_new(uint32_t f)
{
    if (f < SHARED_PATHS)
        return f;
    return f < SHARED_FUNDS ? LEGACY_FUNDS - SHARED_FUNDS + f : LEGACY_FUNDS + f - SHARED_FUNDS;
}

static struct sf_str type_code(struct sf_arena *arena, uint32_t era, uint32_t t, uint32_t word)
{
    if (era == SF_SAMPLE_LEGACY)
        return sf_str_of(sf_sample_legacy_fund_type_codes[t]);
    if (t == GENERAL_FUND_TYPE)
        return SF_STR("GEN_FUND");
    return sf_sample_mnemonic(arena, sf_str_of(sf_sample_fund_types[word]));
}

static uint32_t add_fund(struct sf_arena *arena, struct sf_sample_members *out, uint32_t era, uint32_t f, const uint8_t *sizes,
                         struct sf_str name)
{
    uint32_t t = type_of(sizes, f);
    uint32_t word = era == SF_SAMPLE_LEGACY || t < SF_SAMPLE_SHARED_FUND_TYPES ? t : t + SF_SAMPLE_LEGACY_FUND_TYPES;
    uint32_t at = sf_sample_add(arena, &out->fund);
    struct sf_sample_member *m = &out->fund.member[at];
    struct sf_str code = type_code(arena, era, t, word);
    m->column[0] = code;
    m->column[1] = sf_str_of(sf_sample_fund_types[word]);
    if (era == SF_SAMPLE_CURRENT)
        m->column[2] = sf_str_fmt(arena, "%s~%u", code.p, 10000 + f * 10);
    else if (f == GENERAL_FUND)
        m->column[2] = SF_STR("1GAGF");
    else
        m->column[2] = sf_str_fmt(arena, "%s%c%c%c", code.p, (int)('A' + f / 26), (int)('A' + f % 26), (int)('A' + f * 7 % 26));
    m->column[3] = name;
    m->eras = (uint8_t)(1u << era);
    m->traits = t < SF_SAMPLE_SHARED_FUND_TYPES || f < SHARED_FUNDS ? SF_TRAIT(RECODED) : 0;
    return at;
}

static uint32_t add_category(struct sf_arena *arena, struct sf_sample_members *out, uint32_t fund, uint32_t category)
{
    uint32_t era = out->fund.member[fund].eras >> 1;
    uint32_t at = fund;
    if (out->fund.member[fund].column[4].p) {
        at = sf_sample_add(arena, &out->fund);
        out->fund.member[at] = out->fund.member[fund];
    }
    struct sf_sample_member *m = &out->fund.member[at];
    static const char *const codes[SF_SAMPLE_FUND_CATEGORIES] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    m->column[4] = sf_str_of(codes[category]);
    m->column[5] = sf_str_of(sf_sample_fund_categories[era][category]);
    return at;
}

static void build_era(struct sf_arena *arena, const struct sf_sample_spec *spec, struct sf_sample_members *out, uint32_t era)
{
    const uint8_t *sizes = era == SF_SAMPLE_LEGACY ? legacy_sizes : new_sizes;
    uint32_t n = era == SF_SAMPLE_LEGACY ? LEGACY_FUNDS : NEW_FUNDS;
    uint32_t n_null = 0;
    uint64_t others = 0;
    uint32_t first = out->fund.n;
    for (uint32_t f = 0; f < n; f++) {
        uint32_t id = era == SF_SAMPLE_LEGACY ? f : name_of_new(f);
        struct sf_str name = fund_name(arena, spec, id);
        bool is_respelled = era == SF_SAMPLE_CURRENT && f == SHARED_PATHS - 1 && !spec->no_quirks;
        if (is_respelled)
            name = sf_sample_case_variant(arena, name);
        uint32_t at = add_fund(arena, out, era, f, sizes, name);
        if (is_respelled)
            out->fund.member[at].traits |= SF_TRAIT(CASE_VARIANT);
        uint32_t n_categories = 1u + (f % 4 == 1) + (f % 16 == 2) + (f == GENERAL_FUND ? 4 : 0);
        for (uint32_t c = 0; c < n_categories; c++) {
            uint32_t category = f == GENERAL_FUND ? 1 + c : (f * 5 + c * 3) % SF_SAMPLE_FUND_CATEGORIES;
            uint32_t mine = add_category(arena, out, at, category);
            struct sf_sample_member *m = &out->fund.member[mine];
            uint32_t rank = f * 101 % n;
            m->weight = WEIGHT / (rank + 6) / n_categories;
            m->is_shown = c == 0 && !spec->no_quirks && (is_respelled || id == SHARED_PATHS - 1 || id == 17 || f == 4);
            if (f != GENERAL_FUND)
                others += m->weight;
        }
        if (f % 24 == 7 && n_null < SF_SAMPLE_NULL_MEMBERS && !spec->no_quirks) {
            uint32_t null = add_fund(arena, out, era, f, sizes, name);
            out->fund.member[null].traits |= SF_TRAIT(NULL_FUND_CATEGORY);
            out->null_category[era][n_null++] = null;
        }
    }
    uint64_t general = others * GENERAL_FUND_PERCENT / (100 - GENERAL_FUND_PERCENT);
    for (uint32_t i = first; i < out->fund.n && sf_str_eq(out->fund.member[i].column[2], out->fund.member[first].column[2]); i++)
        out->fund.member[i].weight = (uint32_t)(i == first ? general / 2 : general / 8);
    if (spec->no_quirks)
        return;
    uint32_t null = add_fund(arena, out, era, 61, sizes, SF_STR_NONE);
    out->fund.member[null].column[2] = era == SF_SAMPLE_LEGACY ? SF_STR("2SZZZ") : SF_STR("SPE_REVE_FUND~19999");
    out->fund.member[null].traits |= SF_TRAIT(NULL_FUND) | SF_TRAIT(PLACEHOLDER_CODE);
    out->null_fund[era] = add_category(arena, out, null, 2);
}

void sf_sample_build_funds(struct sf_arena *arena, const struct sf_sample_spec *spec, struct sf_sample_members *out)
{
    for (uint32_t era = 0; era < SF_SAMPLE_ERAS; era++)
        build_era(arena, spec, out, era);
    /* funds that later weeks bring; no week before has drawn them */
    for (uint32_t i = 0; i < SF_SAMPLE_NEW_FUNDS; i++) {
        struct sf_str name = sf_str_fmt(arena, "Voter Approved Measure %c Fund", (int)('A' + i));
        uint32_t at = add_fund(arena, out, SF_SAMPLE_CURRENT, NEW_FUNDS - 30 + i, new_sizes, name);
        out->fund.member[at].column[2] = sf_str_fmt(arena, "%s~%u", out->fund.member[at].column[0].p, 20000 + i * 10);
        out->fund.member[at].traits = SF_TRAIT(NEW_FUND);
        out->new_fund[i] = add_category(arena, out, at, i % SF_SAMPLE_FUND_CATEGORIES);
    }
}
