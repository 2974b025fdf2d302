/* The crosswalk: from a member that only earlier eras have to its one counterpart in the last.
 *
 * By the current code of the lowest level, else by its folded name, each only where exactly one member of the last era has it; what
 * has none is listed with the reason. At most one target a legacy member, so a join never doubles money. */
#include "resources/data/conform/tables.h"

#include "engine/core/map.h"
#include "resources/data/conform/csv.h"
#include "resources/data/conform/text.h"

struct candidate {
    const struct sf_raw *raw;
    size_t n;
};

/* One member with what its uses say. */
struct member {
    const struct sf_raw *raw;
    struct sf_str code;   /* of the lowest level; empty when the source has none */
    struct sf_str folded; /* name of the lowest level, likewise */
    bool is_current;
    uint64_t rows, gross_cents;
    int64_t cents;
};

static size_t collect(const struct sf_table_input *in, size_t dimension, struct sf_arena *arena, struct member *out)
{
    const struct sf_members *m = &in->members[dimension];
    const struct sf_rule_level *leaf = &m->dimension->levels[m->dimension->n_levels - 1];
    const struct sf_use *use = in->uses, *end = use + in->n_uses;
    size_t n = 0;
    while (use < end) {
        const struct sf_raw *raw = &m->raws[use->raw];
        struct member *member = &out[n++];
        const struct sf_spelling *spelling = sf_spellings_get(in->spellings[dimension], raw, m->dimension->n_levels - 1);
        *member = (struct member){.raw = raw};
        if (!sf_str_eq(spelling->code, leaf->no_code))
            member->code = spelling->code;
        if (!sf_str_eq(spelling->name, leaf->no_name)) {
            char *folded = sf_arena_alloc(arena, spelling->name.n + 1);
            member->folded = (struct sf_str){folded, sf_text_fold(spelling->name, folded)};
        }
        for (size_t after = sf_members_end(m, use->raw); use < end && use->raw < after; use++) {
            member->is_current |= use->year >= in->rules->current_from;
            member->rows += use->rows;
            member->cents += use->cents;
            member->gross_cents += use->cents < 0 ? 0 - (uint64_t)use->cents : (uint64_t)use->cents;
        }
    }
    return n;
}

static void offer(struct sf_arena *arena, struct sf_map *map, struct sf_str key, const struct sf_raw *raw)
{
    if (key.n == 0)
        return;
    struct candidate *c = sf_map_find(map, key);
    if (!c) {
        c = SF_NEW(arena, struct candidate);
        sf_map_put(map, key, c);
    }
    c->raw = raw;
    c->n++;
}

static size_t candidates(const struct sf_map *map, struct sf_str key, const struct sf_raw **raw)
{
    const struct candidate *c = key.n ? sf_map_find(map, key) : NULL;
    *raw = c && c->n == 1 ? c->raw : NULL;
    return c ? c->n : 0;
}

static void list_unmapped(struct sf_arena *arena, const struct sf_table_input *in, const struct member *member, size_t by_code,
                          size_t by_name, struct sf_buf *unmapped)
{
    char money[SF_TEXT_MONEY_MAX];
    struct sf_str amount = {money, sf_text_write_money(member->cents, money)};
    sf_buf_addf(unmapped, "%.*s,", (int)member->raw->id_length, member->raw->id_text);
    sf_csv_write_field(unmapped, sf_raw_title(arena, in->members[in->rules->crosswalk_dimension].dimension, member->raw));
    sf_buf_addf(unmapped, ",%s,%zu,%zu,%llu,%.*s\n", by_code + by_name ? "ambiguous" : "no counterpart", by_code, by_name,
                (unsigned long long)member->rows, SF_ARG(amount));
}

enum sf_code sf_table_crosswalk(const struct sf_table_input *in, struct sf_arena *arena, struct sf_object_file *out,
                                struct sf_coverage *coverage, struct sf_buf *unmapped, struct sf_err *err)
{
    const struct sf_rules *rules = in->rules;
    size_t dimension = rules->crosswalk_dimension;
    const struct sf_rule_dimension *d = in->members[dimension].dimension;
    const struct sf_rule_level *leaf = &d->levels[d->n_levels - 1];
    struct sf_str by_code = sf_str_fmt(arena, "same_%.*s", SF_ARG(rules->columns[leaf->code].name));
    struct sf_str by_name = sf_str_fmt(arena, "same_%.*s_name", SF_ARG(rules->columns[leaf->name].name));
    struct member *members = SF_NEW_ARRAY(arena, in->members[dimension].n, struct member);
    size_t n = collect(in, dimension, arena, members);
    struct sf_map *codes = sf_map_new(arena), *names = sf_map_new(arena);
    for (size_t i = 0; i < n; i++) {
        if (members[i].is_current) {
            offer(arena, codes, members[i].code, members[i].raw);
            offer(arena, names, members[i].folded, members[i].raw);
        }
    }
    struct sf_output *output;
    enum sf_code rc =
        sf_output_open(in->objects_dir, rules->crosswalk_table, sf_table_crosswalk_columns(arena, rules), &output, err);
    if (rc)
        return rc;
    *coverage = (struct sf_coverage){.members = 0};
    sf_buf_addz(unmapped, "member_id,path,reason,same_code,same_name,row_count,amount\n");
    for (size_t i = 0; i < n && !rc; i++) {
        const struct member *member = &members[i];
        if (member->is_current)
            continue;
        const struct sf_raw *code_raw, *name_raw;
        size_t n_code = candidates(codes, member->code, &code_raw), n_name = candidates(names, member->folded, &name_raw);
        const struct sf_raw *target = code_raw ? code_raw : name_raw;
        coverage->members++;
        coverage->rows += member->rows;
        coverage->cents += member->cents;
        coverage->gross_cents += member->gross_cents;
        if (!target) {
            coverage->ambiguous += n_code + n_name > 0;
            coverage->unmatched += n_code + n_name == 0;
            list_unmapped(arena, in, member, n_code, n_name, unmapped);
            continue;
        }
        coverage->by_code += code_raw != NULL;
        coverage->by_name += code_raw == NULL;
        coverage->mapped_rows += member->rows;
        coverage->mapped_cents += member->cents;
        coverage->mapped_gross_cents += member->gross_cents;
        char line[256];
        size_t at = 0;
        memcpy(line, member->raw->id_text, member->raw->id_length);
        at += member->raw->id_length;
        line[at++] = ',';
        memcpy(line + at, target->id_text, target->id_length);
        at += target->id_length;
        line[at++] = ',';
        struct sf_str basis = code_raw ? by_code : by_name;
        memcpy(line + at, basis.p, basis.n);
        rc = sf_output_row(output, (struct sf_str){line, at + basis.n}, err);
    }
    if (rc) {
        sf_output_abandon(output);
        return rc;
    }
    return sf_output_close(output, arena, out, err);
}
