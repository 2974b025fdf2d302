/* See members.h. What the three tables have in common, and the programs. */
#include "resources/data/sample/members.h"

#include "resources/data/sample/words.h"

/* Rows by organization group in the real table. */
static const uint32_t group_rows[SF_SAMPLE_GROUPS] = {92313, 295455, 65108, 80303, 85678, 149935, 8049};
/* Rows of related units, of as many as the real table has: 11,931 of 522,552 legacy rows, 7,430 of 254,289 current ones. */
static const uint32_t related_rows[SF_SAMPLE_ERAS] = {17737, 22698};
static const uint32_t related_percent[SF_SAMPLE_GROUPS] = {0, 60, 25, 0, 0, 15, 0};

static const char *const placeholder_codes[] = {"XXX", "ZZZ", "AXX", "BXX", "CXX", "DXX", "EXX"};

enum {
    SPECIFIC_PROGRAMS = 522, /* names that two or so departments have, beside the common ones */
    PROGRAM_NAME_STRIDE = 89,
    ADMINISTRATION = 0, /* indexes into the common programs */
    NO_PROGRAM_DEFINED = 1,
    ADMINISTRATION_CODES = 11,
};

uint32_t sf_sample_add(struct sf_arena *arena, struct sf_sample_table *table)
{
    if (table->n == table->cap) {
        uint32_t cap = table->cap ? table->cap * 2 : 1024;
        struct sf_sample_member *grown = SF_NEW_ARRAY(arena, cap, struct sf_sample_member);
        if (table->n)
            memcpy(grown, table->member, table->n * sizeof *grown);
        table->member = grown;
        table->cap = cap;
    }
    return table->n++;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

struct sf_str sf_sample_mnemonic(struct sf_arena *arena, struct sf_str name)
{
    char code[21];
    size_t n = 0;
    size_t in_word = 0, words = 0;
    for (size_t i = 0; i < name.n && n < 20; i++) {
        if (!is_letter(name.p[i])) {
            in_word = name.p[i] == '\'' ? in_word : 0;
            continue;
        }
        if (in_word == 0) {
            if (n > 14)
                break;
            if (words++)
                code[n++] = '_';
        }
        if (++in_word <= (words == 1 ? 3u : 4u) && n < 20)
            code[n++] = upper(name.p[i]);
    }
    return sf_str_dup(arena, (struct sf_str){code, n});
}

struct sf_str sf_sample_case_variant(struct sf_arena *arena, struct sf_str name)
{
    struct sf_str copy = sf_str_dup(arena, name);
    char *p = (char *)(uintptr_t)copy.p;
    for (size_t i = copy.n; i-- > 0;) {
        bool starts_word = is_letter(p[i]) && (i == 0 || p[i - 1] == ' ');
        if (starts_word && p[i] <= 'Z') {
            p[i] = (char)(p[i] - 'A' + 'a');
            break;
        }
    }
    return copy;
}

struct sf_str sf_sample_space_variant(struct sf_arena *arena, struct sf_str name)
{
    size_t blank = sf_str_find(name, SF_STR(" "));
    if (blank == SIZE_MAX)
        return name;
    return sf_str_fmt(arena, "%.*s  %.*s", (int)blank, name.p, (int)(name.n - blank - 1), name.p + blank + 1);
}

uint32_t sf_sample_renames(uint32_t week)
{
    return (week + 7) / 16;
}

static uint32_t traits_of_text(const struct sf_sample_table *table, const struct sf_sample_member *m)
{
    uint32_t traits = 0;
    for (uint32_t c = 0; c < table->n_columns; c++) {
        struct sf_str s = m->column[c];
        traits |= sf_str_find(s, SF_STR("  ")) != SIZE_MAX ? SF_TRAIT(DOUBLE_SPACE) : 0;
        traits |= sf_str_find(s, SF_STR(",")) != SIZE_MAX ? SF_TRAIT(COMMA) : 0;
        traits |= sf_str_find(s, SF_STR("'")) != SIZE_MAX ? SF_TRAIT(APOSTROPHE) : 0;
        traits |= sf_str_find(s, SF_STR("&")) != SIZE_MAX ? SF_TRAIT(AMPERSAND) : 0;
        traits |= sf_str_find(s, SF_STR("~")) != SIZE_MAX ? SF_TRAIT(TILDE) : 0;
        traits |= sf_str_find(s, SF_STR("\xe2\x80\x93")) != SIZE_MAX ? SF_TRAIT(EN_DASH) : 0;
        traits |= sf_str_find(s, SF_STR("\xc3\xa2")) != SIZE_MAX ? SF_TRAIT(MOJIBAKE) : 0;
    }
    return traits;
}

static void find_traits(struct sf_sample_table *table)
{
    for (uint32_t i = 0; i < table->n; i++)
        table->member[i].traits |= traits_of_text(table, &table->member[i]);
}

void sf_sample_members_build(struct sf_arena *arena, const struct sf_sample_spec *spec, struct sf_sample_members *out)
{
    memset(out, 0, sizeof *out);
    out->program.n_columns = 7;
    out->type.n_columns = 6;
    out->fund.n_columns = 6;
    sf_sample_build_programs(arena, spec, out);
    sf_sample_build_types(arena, spec, out);
    sf_sample_build_funds(arena, spec, out);
    find_traits(&out->program);
    find_traits(&out->type);
    find_traits(&out->fund);
}

/* --- programs --- */

/* A department as one era has it. */
struct department {
    uint32_t group;
    struct sf_str code, name;
    uint32_t traits;
};

bool sf_sample_same_letters(struct sf_str a, struct sf_str b)
{
    size_t i = 0, j = 0;
    for (;;) {
        while (i < a.n && !is_letter(a.p[i]))
            i++;
        while (j < b.n && !is_letter(b.p[j]))
            j++;
        if (i == a.n || j == b.n)
            return i == a.n && j == b.n;
        if (upper(a.p[i++]) != upper(b.p[j++]))
            return false;
    }
}

static struct department department_in(struct sf_arena *arena, const struct sf_sample_spec *spec, uint32_t d,
                                       enum sf_sample_era era)
{
    const struct sf_sample_department *from = &sf_sample_departments[d];
    bool is_new = era == SF_SAMPLE_CURRENT;
    bool is_renamed = from->new_name != NULL;
    /* without quirks both eras have the later name */
    const char *name = is_renamed && (is_new || spec->no_quirks) ? from->new_name : from->name;
    struct department dept = {.group = is_new && from->new_group ? from->new_group : from->group,
                              .code = sf_str_of(is_new && from->new_code ? from->new_code : from->code)};
    if (spec->layout == SF_SAMPLE_2017)
        dept.name = sf_str_trim(sf_str_of(name));
    else
        dept.name = sf_str_fmt(arena, "%s %s", dept.code.p, name);
    if (from->new_code) /* the name stays, so its prefix does too */
        dept.name = spec->layout == SF_SAMPLE_2017 ? dept.name : sf_str_fmt(arena, "%s %s", from->code, name);
    if (from->new_code)
        dept.traits |= SF_TRAIT(RECODED);
    if (is_renamed && !spec->no_quirks)
        dept.traits |=
            sf_sample_same_letters(sf_str_of(from->name), sf_str_of(from->new_name)) ? SF_TRAIT(CASE_VARIANT) : SF_TRAIT(RENAMED);
    return dept;
}

static struct sf_str program_name(struct sf_arena *arena, uint32_t id)
{
    if (id < SF_SAMPLE_COMMON_PROGRAMS)
        return sf_str_of(sf_sample_common_programs[id]);
    uint32_t total = sf_sample_program_first.n * sf_sample_program_second.n;
    uint32_t at = (id - SF_SAMPLE_COMMON_PROGRAMS) * PROGRAM_NAME_STRIDE % total;
    return sf_str_fmt(arena, "%s %s", sf_sample_program_first.word[at / sf_sample_program_second.n],
                      sf_sample_program_second.word[at % sf_sample_program_second.n]);
}

static struct sf_str letters(struct sf_arena *arena, uint32_t id, const char *suffix)
{
    uint32_t n = (id * 37 + 1000) % (26 * 26 * 26);
    return sf_str_fmt(arena, "%c%c%c%s", (int)('A' + n / 676), (int)('A' + n / 26 % 26), (int)('A' + n % 26), suffix);
}

static struct sf_str program_code(struct sf_arena *arena, const struct sf_sample_spec *spec, uint32_t id, uint32_t d,
                                  enum sf_sample_era era, uint32_t *traits)
{
    if (id == ADMINISTRATION)
        return letters(arena, 600 + (spec->no_quirks ? 0 : d % ADMINISTRATION_CODES), "");
    if (id == NO_PROGRAM_DEFINED) {
        *traits |= SF_TRAIT(PLACEHOLDER_CODE);
        return sf_str_of(placeholder_codes[spec->no_quirks ? 0 : d % SF_COUNT(placeholder_codes)]);
    }
    uint32_t specific = id - SF_SAMPLE_COMMON_PROGRAMS;
    if (id == SF_SAMPLE_COMMON_PROGRAMS + 1 && !spec->no_quirks)
        id--; /* one code with two names */
    bool is_recoded = id == 5 || id == 9 || id == 14 || id == 20 || id == 27 || id == 31 || id == 36 || id == 38 ||
                      (id > SF_SAMPLE_COMMON_PROGRAMS && specific % 29 == 4);
    if (is_recoded)
        *traits |= SF_TRAIT(RECODED);
    if (era == SF_SAMPLE_CURRENT && id >= SF_SAMPLE_COMMON_PROGRAMS && specific % 13 == 0 &&
        specific / 13 < sf_sample_renames(spec->as_of)) {
        *traits |= SF_TRAIT(CODE_RENAMED);
        return letters(arena, id, "9");
    }
    return letters(arena, id, is_recoded && era == SF_SAMPLE_CURRENT ? "01" : "");
}

static uint32_t add_program(struct sf_arena *arena, struct sf_sample_members *out, const struct department *dept,
                            enum sf_sample_era era, bool is_related, struct sf_str code, struct sf_str name, uint32_t traits)
{
    static const char *const flags[SF_SAMPLE_ERAS][2] = {{"No", "Yes"}, {"NO", "YES"}};
    static const char *const group_codes[] = {"01", "02", "03", "04", "05", "06", "07"};
    uint32_t at = sf_sample_add(arena, &out->program);
    struct sf_sample_member *m = &out->program.member[at];
    m->column[0] = sf_str_of(flags[era][is_related]);
    m->column[1] = sf_str_of(group_codes[dept->group - 1]);
    m->column[2] = sf_str_of(sf_sample_groups[dept->group - 1]);
    m->column[3] = dept->code;
    m->column[4] = dept->name;
    m->column[5] = code;
    m->column[6] = name;
    m->eras = (uint8_t)(1u << era);
    m->traits = traits | dept->traits | (is_related ? SF_TRAIT(RELATED_UNIT) : 0);
    return at;
}

/* The name of a department's r-th program: two fifths are common ones, the rest comes from where *next stands. */
static uint32_t program_of(uint32_t d, uint32_t r, uint32_t n, uint32_t *next)
{
    uint32_t n_common = n * 2 / 5 + 1;
    if (n_common > 12)
        n_common = 12;
    if (r == 0)
        return ADMINISTRATION;
    if (r == 1 && d % 6 == 0)
        return NO_PROGRAM_DEFINED;
    if (r < n_common)
        return 2 + (d * 7 + r * 3) % (SF_SAMPLE_COMMON_PROGRAMS - 2);
    return SF_SAMPLE_COMMON_PROGRAMS + (*next)++ % SPECIFIC_PROGRAMS;
}

/* Bits of the eras that have the r-th program of department d: a quarter ends with the legacy one, a fifth begins after. */
static uint32_t program_eras(uint32_t d, uint32_t r)
{
    uint32_t h = (d * 31 + r * 17) % 20;
    if (r == 0 || h >= 9)
        return 3;
    return h < 5 ? 1 : 2;
}

/* Scales the weights that one era, group and flag have so that they add up to `share`. */
static void scale_weights(struct sf_sample_table *table, enum sf_sample_era era, uint32_t group, bool is_related, uint64_t share)
{
    uint64_t sum = 0;
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < table->n; i++) {
            struct sf_sample_member *m = &table->member[i];
            bool is_mine = m->eras == 1u << era && m->column[1].p[1] == (char)('0' + group) &&
                           is_related == ((m->traits & SF_TRAIT(RELATED_UNIT)) != 0);
            if (!is_mine || m->weight == 0)
                continue;
            if (pass == 0)
                sum += m->weight;
            else
                m->weight = (uint32_t)(share * m->weight / sum);
        }
    }
}

void sf_sample_build_programs(struct sf_arena *arena, const struct sf_sample_spec *spec, struct sf_sample_members *out)
{
    for (uint32_t era = 0; era < SF_SAMPLE_ERAS; era++) {
        uint32_t next = 0, n_null = 0;
        for (uint32_t d = 0; d < SF_SAMPLE_DEPARTMENTS; d++) {
            const struct sf_sample_department *from = &sf_sample_departments[d];
            struct department dept = department_in(arena, spec, d, era);
            bool is_odd = (dept.traits | (sf_str_find(dept.name, SF_STR("  ")) != SIZE_MAX)) != 0;
            for (uint32_t r = 0; r < from->programs; r++) {
                uint32_t traits = 0;
                uint32_t id = program_of(d, r, from->programs, &next);
                if (!(program_eras(d, r) & 1u << era))
                    continue;
                struct sf_str code = program_code(arena, spec, id, d, era, &traits);
                struct sf_str name = program_name(arena, id);
                for (uint32_t related = 0; related < 2; related++) {
                    if (related != (from->relation == SF_SAMPLE_RELATED) && from->relation != SF_SAMPLE_BOTH)
                        continue;
                    uint32_t at = add_program(arena, out, &dept, era, related, code, name, traits);
                    out->program.member[at].weight = (from->programs + 20u) * 100000u / (r + 5);
                    out->program.member[at].is_shown = r == 0 && (is_odd || related);
                }
            }
            if (d % 8 == 2 && n_null < SF_SAMPLE_NULL_MEMBERS && !spec->no_quirks)
                out->null_program[era][n_null++] =
                    add_program(arena, out, &dept, era, false, SF_STR_NONE, SF_STR_NONE, SF_TRAIT(NULL_PROGRAM));
        }
        for (uint32_t group = 1; group <= SF_SAMPLE_GROUPS; group++) {
            uint64_t related = (uint64_t)related_rows[era] * related_percent[group - 1] * 10;
            scale_weights(&out->program, era, group, false, group_rows[group - 1] * 1000ull - related);
            scale_weights(&out->program, era, group, true, related);
        }
    }
    if (!spec->no_quirks) {
        struct department gone = {.group = 2, .code = SF_STR("RDV"), .name = SF_STR_NONE};
        out->null_department = add_program(arena, out, &gone, SF_SAMPLE_LEGACY, false, letters(arena, 600, ""),
                                           program_name(arena, ADMINISTRATION), SF_TRAIT(NULL_DEPARTMENT));
    }
}
