/* Types: character -> object -> sub-object, in two trees, one per era, that share codes and only some names.
 *
 * The shape is the measured one: 24 characters and 51 objects keep their name but change their code in FY2018; 1,648 of 2,774
 * sub-object codes occur in both eras (59 %), 168 of them under the same names and the others under another object; ten
 * paths keep all names and change the sub-object code. Sub-objects per object and objects per character are long-tailed. */
#include "resources/data/sample/members.h"

#include "resources/data/sample/words.h"

/* How many of what one side has. Objects count the shared ones first. */
struct shape {
    uint32_t shared_characters;
    uint32_t shared_objects, era_objects[SF_SAMPLE_ERAS];
    uint32_t both, era_subs[SF_SAMPLE_ERAS]; /* sub-object codes of both eras, of one alone */
    uint32_t same_path;                      /* of `both`: under the same names in both eras */
    uint32_t same_path_other_code;           /* pairs of one-era codes with the same names */
    uint32_t same_name;                      /* pairs of one-era codes with the same sub-object name, the above included */
    uint32_t renamed;                        /* of `both`: another name from FY2018 */
    uint32_t respelled;                      /* of `same_path`: another spelling from FY2018 */
    uint32_t twice;                          /* new codes that stand under two objects */
    uint32_t first_code, first_object_code;
};
static const struct shape shapes[SF_SAMPLE_SIDES] = {
    {SF_SAMPLE_SHARED_CHARACTERS_SPENDING, 30, {190, 190}, 1050, {360, 370}, 105, 5, 26, 70, 8, 22, 500000, 100},
    {SF_SAMPLE_SHARED_CHARACTERS_REVENUE, 21, {146, 145}, 598, {197, 199}, 63, 5, 16, 43, 6, 13, 400000, 548},
};

enum {
    LEADING_ZERO_SUBS = 57,
    LEADING_ZERO_OBJECTS = 3,
    MAX_CHARACTERS = 32,
    NAME_STRIDE = 1009,
    OBJECT_STRIDE = 29,
    RANK_STRIDE = 389,
    RANK_OFFSET = 7,
    RANK_SCALE = 10000000,
    LONGEST_CHARACTER = 3, /* the mandatory benefits, as in the real table */
};

struct character {
    struct sf_str name, code;
    uint32_t traits;
};
struct object {
    struct sf_str name, code;
    uint32_t character; /* index into the era's */
    uint32_t traits;
};
struct tree {
    struct character character[MAX_CHARACTERS];
    uint32_t n_characters;
    struct object *object;
    uint32_t n_objects;
    uint32_t *object_of; /* by sub-object; UINT32_MAX: not in this era */
};
struct builder {
    struct sf_arena *arena;
    const struct sf_sample_spec *spec;
    struct sf_sample_members *out;
    const struct shape *shape;
    uint32_t side;
    uint32_t n_subs; /* both, then legacy only, then new only */
    struct tree tree[SF_SAMPLE_ERAS];
};

/* A long tail: `total` over `n` places, the first `largest`, each next by num/den smaller, none below 1. */
static void spread(uint32_t total, uint32_t n, uint32_t largest, uint32_t num, uint32_t den, uint32_t *out)
{
    uint32_t used = 0;
    uint64_t size = (uint64_t)largest << 16;
    for (uint32_t i = 0; i < n; i++, size = size * num / den) {
        out[i] = size >> 16 ? (uint32_t)(size >> 16) : 1;
        used += out[i];
    }
    if (n < 2)
        return; /* there is no tail to adjust */
    for (uint32_t i = 1; used < total; i = i % (n - 1) + 1, used++)
        out[i]++;
    for (uint32_t i = 1; used > total; i = i % (n - 1) + 1) {
        if (out[i] > 1) {
            out[i]--;
            used--;
        }
    }
}

/* Appends digits until no earlier of the n codes is equal. */
static struct sf_str unique_code(struct sf_arena *arena, struct sf_str code, const struct object *object, uint32_t n)
{
    struct sf_str wanted = code;
    for (uint32_t try = 2;; try++) {
        bool is_taken = false;
        for (uint32_t i = 0; i < n && !is_taken; i++)
            is_taken = sf_str_eq(object[i].code, wanted);
        if (!is_taken)
            return wanted;
        wanted = sf_str_fmt(arena, "%.*s%u", (int)(code.n > 17 ? 17 : code.n), code.p, try);
    }
}

static void build_characters(struct builder *b)
{
    uint32_t n_shared = b->shape->shared_characters;
    struct tree *old = &b->tree[SF_SAMPLE_LEGACY], *new = &b->tree[SF_SAMPLE_CURRENT];
    for (uint32_t i = 0; i < n_shared; i++) {
        struct sf_str name = sf_str_of(sf_sample_shared_characters[b->side][i]);
        uint32_t code = (b->side == SF_SAMPLE_SPENDING ? 11 : 211) + i * 3;
        old->character[i] = (struct character){name, sf_str_fmt(b->arena, "%03u", code), SF_TRAIT(RECODED)};
        new->character[i] = (struct character){name, sf_sample_mnemonic(b->arena, name), SF_TRAIT(RECODED)};
    }
    for (uint32_t i = 0; i < SF_SAMPLE_ERA_CHARACTERS; i++) {
        struct sf_str name = sf_str_of(sf_sample_legacy_characters[b->side][i]);
        for (uint32_t j = 0; j < SF_SAMPLE_ERA_CHARACTERS && b->spec->no_quirks; j++) {
            struct sf_str later = sf_str_of(sf_sample_new_characters[b->side][j]);
            name = later.p && sf_sample_same_letters(name, later) ? later : name;
        }
        uint32_t code = (b->side == SF_SAMPLE_SPENDING ? 101 : 301) + i * 7;
        old->character[n_shared + i] = (struct character){name, sf_str_fmt(b->arena, "%03u", code), 0};
    }
    for (uint32_t i = 0; i < SF_SAMPLE_ERA_CHARACTERS; i++) {
        const char *word = sf_sample_new_characters[b->side][i];
        struct character *c = &new->character[n_shared + i];
        *c = (struct character){sf_str_of(word), word ? sf_sample_mnemonic(b->arena, sf_str_of(word)) : SF_STR_NONE, 0};
        /* the first five of spending are other names for the codes of shared ones; two of them just other spellings */
        if (b->side == SF_SAMPLE_SPENDING && i < 5) {
            c->code = new->character[i].code;
            c->traits = SF_TRAIT(RENAMED);
        }
        if (word == NULL && b->spec->no_quirks) {
            c->name = sf_str_fmt(b->arena, "%s, Other", new->character[i].name.p);
        } else if (word == NULL) {
            c->name = i == 0 ? sf_sample_case_variant(b->arena, new->character[i].name)
                             : sf_sample_space_variant(b->arena, new->character[i].name);
            c->traits = SF_TRAIT(CASE_VARIANT);
        }
        if (b->spec->no_quirks && c->traits)
            c->code = sf_sample_mnemonic(b->arena, sf_str_fmt(b->arena, "Oth %s", c->name.p));
    }
    old->n_characters = new->n_characters = n_shared + SF_SAMPLE_ERA_CHARACTERS;
    for (uint32_t i = 0; i < new->n_characters; i++) /* mnemonics may clash where nothing is meant */
        for (uint32_t j = 0; j < i; j++)
            if (sf_str_eq(new->character[i].code, new->character[j].code) && !new->character[i].traits)
                new->character[i].code = sf_str_fmt(b->arena, "%s%u", new->character[i].code.p, i);
}

static struct sf_str object_name(const struct builder *b, uint32_t k)
{
    const struct sf_sample_words *first = &sf_sample_item_first[b->side], *second = &sf_sample_object_second[b->side];
    const struct sf_sample_words *item = &sf_sample_item_second[b->side];
    uint32_t at = k * OBJECT_STRIDE % (first->n * item->n);
    uint32_t f = at % first->n, s = at / first->n;
    if (k % 12 == 1)
        return sf_str_fmt(b->arena, "%s %s, %s", first->word[f], item->word[s], second->word[k % second->n]);
    return sf_str_fmt(b->arena, "%s %s %s", first->word[f], item->word[s], second->word[k % second->n]);
}

static void build_objects(struct builder *b, uint32_t era)
{
    const struct shape *s = b->shape;
    struct tree *tree = &b->tree[era];
    uint32_t n = s->shared_objects + s->era_objects[era];
    uint32_t sizes[MAX_CHARACTERS] = {0};
    tree->object = SF_NEW_ARRAY(b->arena, n, struct object);
    tree->n_objects = n;
    spread(n - s->shared_objects, tree->n_characters, (n - s->shared_objects) / 3, 3, 10, sizes);
    uint32_t character = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct object *o = &tree->object[i];
        bool is_shared = i < s->shared_objects;
        if (is_shared) {
            o->character = i % s->shared_characters;
            o->traits = SF_TRAIT(RECODED);
        } else {
            while (sizes[character] == 0)
                character++;
            sizes[character]--;
            o->character = (character + LONGEST_CHARACTER) % tree->n_characters;
        }
        uint32_t name = is_shared ? i : i + (era == SF_SAMPLE_LEGACY ? 0 : s->era_objects[0]);
        o->name = object_name(b, name);
        const struct object *before = i > s->shared_objects ? o - 1 : NULL;
        bool is_sibling = before && before->character == o->character;
        if (era == SF_SAMPLE_LEGACY) {
            uint32_t code = b->side == SF_SAMPLE_SPENDING && i < LEADING_ZERO_OBJECTS ? 72 + i * 9 : s->first_object_code + i * 2;
            o->code = sf_str_fmt(b->arena, "%03u", code);
            o->traits |= code < 100 ? SF_TRAIT(LEADING_ZERO) : 0;
            continue;
        }
        o->code = unique_code(b->arena, sf_sample_mnemonic(b->arena, o->name), tree->object, i);
        if (!is_shared && i % 3 == 1 && o->character >= s->shared_characters)
            o->name = b->tree[SF_SAMPLE_LEGACY].object[i].name; /* the same name under another character */
        if (is_sibling && i % 8 == 7 && !b->spec->no_quirks) {
            o->code = before->code; /* one code, two names */
            o->traits |= SF_TRAIT(RENAMED);
            if (i % 32 == 7) {
                o->name = sf_sample_case_variant(b->arena, before->name);
                o->traits = SF_TRAIT(CASE_VARIANT);
            }
        }
    }
}

/* The object of every sub-object: long-tailed, the same under a shared object for the first `same_path` of both eras only. */
static void place_subs(struct builder *b, uint32_t era)
{
    const struct shape *s = b->shape;
    struct tree *tree = &b->tree[era];
    uint32_t *sizes = SF_NEW_ARRAY(b->arena, tree->n_objects, uint32_t);
    uint32_t n_mine = s->both + s->era_subs[era];
    tree->object_of = SF_NEW_ARRAY(b->arena, b->n_subs, uint32_t);
    memset(tree->object_of, 0xff, b->n_subs * sizeof(uint32_t));
    spread(n_mine, tree->n_objects, 134, 9, 10, sizes);

    uint32_t own = s->both + (era == SF_SAMPLE_LEGACY ? 0 : s->era_subs[0]);
    for (uint32_t i = 0; i < s->same_path; i++)
        tree->object_of[i] = i % s->shared_objects;
    for (uint32_t i = 0; i < s->same_path_other_code; i++)
        tree->object_of[own + i] = i;
    for (uint32_t i = 0; i < s->same_path + s->same_path_other_code; i++) {
        uint32_t o = i < s->same_path ? i % s->shared_objects : i - s->same_path;
        if (sizes[o])
            sizes[o]--;
        else
            sizes[0]--; /* the largest has room */
    }
    uint32_t object = 0;
    for (uint32_t k = 0; k < n_mine; k++) {
        /* another walk through the codes in each era, so that siblings part */
        uint32_t i = (uint32_t)((uint64_t)k * (era == SF_SAMPLE_LEGACY ? 1 : 613) % n_mine);
        uint32_t sub = i < s->both ? i : own + (i - s->both);
        if (tree->object_of[sub] != UINT32_MAX)
            continue;
        while (sizes[object] == 0)
            object++;
        /* largest lists on different objects: legacy from the front, new from the middle */
        uint32_t shift = era == SF_SAMPLE_LEGACY ? 0 : tree->n_objects / 2;
        uint32_t at = (object + shift) % tree->n_objects;
        if (era == SF_SAMPLE_CURRENT && at < s->shared_objects && b->tree[0].object_of[sub] == at)
            at = s->shared_objects + sub % (tree->n_objects - s->shared_objects);
        tree->object_of[sub] = at;
        sizes[object]--;
    }
}

static struct sf_str item_name(const struct builder *b, uint32_t k)
{
    const struct sf_sample_words *first = &sf_sample_item_first[b->side], *second = &sf_sample_item_second[b->side];
    uint32_t total = first->n * second->n;
    uint32_t at = k * NAME_STRIDE % total;
    const char *f = first->word[at % first->n], *s = second->word[at / first->n];
    if (k % 41 == 7)
        return sf_str_fmt(b->arena, "%s, %s", s, f);
    if (k % 23 == 5)
        return sf_str_fmt(b->arena, "%s & Other %s", f, s);
    if (k % 7 == 2)
        return sf_str_fmt(b->arena, "%s %s - Citywide", f, s);
    return sf_str_fmt(b->arena, "%s %s", f, s);
}

static struct sf_str sub_name(const struct builder *b, uint32_t sub, uint32_t era, uint32_t *traits)
{
    const struct shape *s = b->shape;
    uint32_t new_only = s->both + s->era_subs[0];
    if (sub >= new_only && sub - new_only < s->same_name) {
        *traits |= SF_TRAIT(RECODED);
        return item_name(b, s->both + (sub - new_only));
    }
    if (sub == s->both - 1 && b->side == SF_SAMPLE_SPENDING && !b->spec->no_quirks)
        return SF_STR("Citizens\xc3\xa2\xe2\x82\xac\xe2\x84\xa2 Advisory Support"); /* UTF-8 once read as Windows-1252 */
    struct sf_str name = item_name(b, sub);
    if (era == SF_SAMPLE_LEGACY || sub >= s->both || b->spec->no_quirks)
        return name;
    if (sub < s->respelled) {
        *traits |= SF_TRAIT(CASE_VARIANT);
        return sub % 3 ? sf_sample_case_variant(b->arena, name) : sf_sample_space_variant(b->arena, name);
    }
    if (sub >= s->same_path && sub - s->same_path < s->renamed) {
        *traits |= SF_TRAIT(RENAMED);
        return sf_str_fmt(b->arena, "%s, Revised", name.p);
    }
    return name;
}

static struct sf_str sub_code(const struct builder *b, uint32_t sub, uint32_t era)
{
    if (b->side == SF_SAMPLE_SPENDING && sub < LEADING_ZERO_SUBS)
        return sf_str_fmt(b->arena, "%05u", 310 + sub * 15);
    if (b->spec->layout == SF_SAMPLE_2017 && era == SF_SAMPLE_LEGACY)
        return sf_str_fmt(b->arena, "%05u", (b->side == SF_SAMPLE_SPENDING ? 10000 : 60000) + sub * 17);
    return sf_str_fmt(b->arena, "%u", b->shape->first_code + sub * 31);
}

static void add_type(struct builder *b, uint32_t era, uint32_t sub, uint32_t object)
{
    const struct tree *tree = &b->tree[era];
    const struct object *o = &tree->object[object];
    const struct character *c = &tree->character[o->character];
    uint32_t at = sf_sample_add(b->arena, &b->out->type);
    struct sf_sample_member *m = &b->out->type.member[at];
    m->traits = c->traits | o->traits;
    bool is_zero = b->side == SF_SAMPLE_SPENDING && sub < LEADING_ZERO_SUBS;
    m->traits |= is_zero ? SF_TRAIT(LEADING_ZERO) : 0;
    uint32_t own = 0;
    m->column[0] = c->code;
    m->column[1] = c->name;
    m->column[2] = o->code;
    m->column[3] = o->name;
    m->column[4] = sub_code(b, sub, era);
    m->column[5] = sub_name(b, sub, era, &own);
    m->traits |= own;
    m->eras = (uint8_t)(1u << era);
    m->side = (uint8_t)b->side;
    /* no shape is without sub-objects: NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
    uint32_t rank = (uint32_t)((uint64_t)sub * RANK_STRIDE % b->n_subs);
    m->weight = RANK_SCALE / (rank + RANK_OFFSET + 1);
    /* one of each peculiarity, whatever the sample's size */
    m->is_shown = (sub < b->shape->respelled && sub % 3 < 2 && sub < 6) || sub == b->shape->both - 1 ||
                  (o->traits & (SF_TRAIT(CASE_VARIANT) | SF_TRAIT(LEADING_ZERO)) && sub % 8 == 0) ||
                  (c->traits & SF_TRAIT(CASE_VARIANT) && sub % 64 == 0) || (own & SF_TRAIT(RECODED) && sub % 16 == 0) ||
                  (is_zero && sub % 32 == 0);
    m->is_shown = m->is_shown && !b->spec->no_quirks;
}

static uint32_t add_special(struct builder *b, const char *code, const char *name, const char *object_code, const char *sub,
                            uint32_t traits)
{
    uint32_t at = sf_sample_add(b->arena, &b->out->type);
    struct sf_sample_member *m = &b->out->type.member[at];
    m->column[0] = sf_str_of(code);
    m->column[1] = sf_str_of(name);
    m->column[2] = sf_str_of(object_code);
    m->column[3] = sf_str_of(name);
    m->column[4] = sf_str_of(sub);
    m->column[5] = sf_str_of(name);
    m->eras = 3;
    m->side = (uint8_t)b->side;
    m->traits = traits;
    return at;
}

void sf_sample_build_types(struct sf_arena *arena, const struct sf_sample_spec *spec, struct sf_sample_members *out)
{
    for (uint32_t side = 0; side < SF_SAMPLE_SIDES; side++) {
        const struct shape *s = &shapes[side];
        struct builder *b = SF_NEW(arena, struct builder);
        *b = (struct builder){.arena = arena, .spec = spec, .out = out, .shape = s, .side = side};
        b->n_subs = s->both + s->era_subs[0] + s->era_subs[1];
        build_characters(b);
        for (uint32_t era = 0; era < SF_SAMPLE_ERAS; era++) {
            build_objects(b, era);
            place_subs(b, era);
            for (uint32_t sub = 0; sub < b->n_subs; sub++)
                if (b->tree[era].object_of[sub] != UINT32_MAX)
                    add_type(b, era, sub, b->tree[era].object_of[sub]);
        }
        const struct tree *new = &b->tree[SF_SAMPLE_CURRENT];
        for (uint32_t i = 0; i < s->twice; i++) {
            uint32_t sub = b->n_subs - 1 - i;
            uint32_t elsewhere = (new->object_of[sub] + 40) % new->n_objects;
            add_type(b, SF_SAMPLE_CURRENT, sub, elsewhere);
        }
        out->elimination[side] =
            side == SF_SAMPLE_SPENDING
                ? add_special(b, "ELU", "Transfer Adjustment-Uses", "ELU", "ELU", SF_TRAIT(ELIMINATION_USE))
                : add_special(b, "ELS", "Transfer Adjustment-Sources", "ELS", "ELS", SF_TRAIT(ELIMINATION_SOURCE));
        if (side == SF_SAMPLE_SPENDING && !spec->no_quirks)
            out->null_type = add_special(b, "NKE", NULL, NULL, "NKEY", SF_TRAIT(NULL_TYPE) | SF_TRAIT(PLACEHOLDER_CODE));
    }
}
