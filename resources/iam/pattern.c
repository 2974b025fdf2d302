/* Wildcard patterns, policy variables and the context they come from. */
#include "resources/iam/internal.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool sf_iam_equal_fold(struct sf_str a, struct sf_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    }
    return true;
}

struct sf_str sf_iam_arn_part(struct sf_str arn, size_t part)
{
    for (size_t i = 0; i < part; i++) {
        size_t cut = sf_str_find(arn, SF_STR(":"));
        if (cut == SIZE_MAX)
            return SF_STR_NONE;
        arn = sf_str_slice(arn, cut + 1, arn.n);
    }
    return part >= 5 ? arn : sf_str_slice(arn, 0, sf_str_find(arn, SF_STR(":")));
}

bool sf_iam_text(struct sf_arena *arena, const struct sf_value *v, struct sf_str *text)
{
    switch (v->type) {
    case SF_V_STRING:
    case SF_V_NUMBER:
        *text = v->s;
        return true;
    case SF_V_BOOL:
        *text = v->b ? SF_STR("true") : SF_STR("false");
        return true;
    case SF_V_INT:
        *text = sf_str_fmt(arena, "%lld", (long long)v->i);
        return true;
    case SF_V_NULL:
    case SF_V_LIST:
    case SF_V_MAP:
    case SF_V_UNKNOWN:
    case SF_V_FINGERPRINT:
        break;
    }
    return false;
}

/* --- context --- */

/* What an ARN of a caller tells: its own context keys (IAM user guide, "Global condition context keys"). */
static bool from_principal(const struct sf_iam_eval *eval, struct sf_str key, struct sf_str *text)
{
    const struct sf_value *who = eval->request->principal;
    if (who && who->type == SF_V_MAP)
        who = sf_map_getz(who, "AWS");
    if (!who || who->type != SF_V_STRING || !sf_str_starts(who->s, SF_STR("arn:")))
        return false;
    struct sf_str arn = who->s, name = sf_iam_arn_part(arn, 5), account = sf_iam_arn_part(arn, 4);
    size_t slash = sf_str_find(name, SF_STR("/"));
    struct sf_str type = sf_str_slice(name, 0, slash);
    bool is_session = sf_str_is(type, "assumed-role");
    if (sf_iam_equal_fold(key, SF_STR("aws:PrincipalAccount")))
        *text = account;
    else if (sf_iam_equal_fold(key, SF_STR("aws:PrincipalArn"))) {
        struct sf_str role = sf_str_slice(name, slash == SIZE_MAX ? name.n : slash + 1, name.n);
        role = sf_str_slice(role, 0, sf_str_find(role, SF_STR("/")));
        *text = is_session ? sf_str_fmt(eval->arena, "arn:%.*s:iam::%.*s:role/%.*s", SF_ARG(sf_iam_arn_part(arn, 1)),
                                        SF_ARG(account), SF_ARG(role))
                           : arn;
    } else if (sf_iam_equal_fold(key, SF_STR("aws:username")) && sf_str_is(type, "user")) {
        while ((slash = sf_str_find(name, SF_STR("/"))) != SIZE_MAX)
            name = sf_str_slice(name, slash + 1, name.n);
        *text = name;
    } else if (sf_iam_equal_fold(key, SF_STR("aws:PrincipalType")))
        *text = sf_str_is(type, "user") ? SF_STR("User") : sf_str_is(type, "root") ? SF_STR("Account") : SF_STR("AssumedRole");
    return text->n != 0;
}

enum sf_iam_presence sf_iam_lookup(const struct sf_iam_eval *eval, struct sf_str key, const struct sf_value **value)
{
    const struct sf_value *context = eval->request->context;
    for (size_t i = 0; context && context->type == SF_V_MAP && i < context->map.n; i++) {
        const struct sf_pair *pair = &context->map.pairs[i];
        if (!sf_iam_equal_fold(pair->key, key))
            continue;
        *value = pair->value;
        bool is_unknown = !pair->value || pair->value->type == SF_V_NULL || sf_value_has_unknown(pair->value, NULL);
        return is_unknown ? SF_KEY_UNKNOWN : SF_KEY_PRESENT;
    }
    struct sf_str text = SF_STR_NONE;
    if (from_principal(eval, key, &text)) {
        *value = sf_value_str(eval->arena, text);
        return SF_KEY_PRESENT;
    }
    return eval->request->is_context_complete ? SF_KEY_ABSENT : SF_KEY_UNKNOWN;
}

/* --- compile --- */

static void add_token(struct sf_arena *arena, uint16_t **t, size_t *n, size_t *cap, uint16_t token)
{
    *t = sf_arena_grow(arena, *t, *n, cap, sizeof(**t));
    (*t)[(*n)++] = token;
}

static void add_literal(struct sf_arena *arena, uint16_t **t, size_t *n, size_t *cap, struct sf_str text)
{
    for (size_t i = 0; i < text.n; i++)
        add_token(arena, t, n, cap, (unsigned char)text.p[i]);
}

/* "${key}", "${key, 'default'}", "${*}", "${?}", "${$}": appends what it stands for. */
static enum sf_iam_tri add_variable(struct sf_iam_eval *eval, struct sf_str inner, uint16_t **t, size_t *n, size_t *cap)
{
    if (sf_str_is(inner, "*") || sf_str_is(inner, "?") || sf_str_is(inner, "$")) {
        add_literal(eval->arena, t, n, cap, inner);
        return SF_YES;
    }
    size_t comma = sf_str_find(inner, SF_STR(","));
    struct sf_str key = sf_str_trim(sf_str_slice(inner, 0, comma));
    const struct sf_value *value = NULL;
    struct sf_str text;
    enum sf_iam_presence presence = sf_iam_lookup(eval, key, &value);
    if (presence == SF_KEY_UNKNOWN) {
        eval->unknown = key;
        return SF_MAYBE;
    }
    if (presence == SF_KEY_PRESENT && sf_iam_text(eval->arena, value, &text)) {
        add_literal(eval->arena, t, n, cap, text);
        return SF_YES;
    }
    if (comma == SIZE_MAX)
        return SF_NO; /* absent, or multivalued, which cannot stand in a variable */
    struct sf_str otherwise = sf_str_trim(sf_str_slice(inner, comma + 1, inner.n));
    if (otherwise.n < 2 || otherwise.p[0] != '\'' || otherwise.p[otherwise.n - 1] != '\'')
        return SF_NO;
    add_literal(eval->arena, t, n, cap, sf_str_slice(otherwise, 1, otherwise.n - 1));
    return SF_YES;
}

enum sf_iam_tri sf_iam_compile(struct sf_iam_eval *eval, struct sf_str text, bool has_wildcards, struct sf_iam_pattern *out)
{
    uint16_t *t = NULL;
    size_t n = 0, cap = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (eval->has_variables && c == '$' && i + 1 < text.n && text.p[i + 1] == '{') {
            struct sf_str rest = sf_str_slice(text, i + 2, text.n);
            size_t close = sf_str_find(rest, SF_STR("}"));
            if (close != SIZE_MAX) {
                enum sf_iam_tri known = add_variable(eval, sf_str_slice(rest, 0, close), &t, &n, &cap);
                if (known != SF_YES)
                    return known;
                i += close + 2;
                continue;
            }
        }
        uint16_t token = (unsigned char)c;
        if (has_wildcards && c == '*')
            token = SF_ANY_RUN;
        else if (has_wildcards && c == '?')
            token = SF_ANY_ONE;
        if (token == SF_ANY_RUN && n && t[n - 1] == SF_ANY_RUN)
            continue; /* ** is * */
        add_token(eval->arena, &t, &n, &cap, token);
    }
    *out = (struct sf_iam_pattern){t, n};
    return SF_YES;
}

/* --- match --- */

/* Bytes of the UTF-8 character at `i`. */
static size_t char_bytes(struct sf_str s, size_t i)
{
    size_t n = 1;
    while (i + n < s.n && ((unsigned char)s.p[i + n] & 0xc0) == 0x80)
        n++;
    return n;
}

bool sf_iam_match(const struct sf_iam_pattern *pattern, struct sf_str text, bool folds_case)
{
    /* On a mismatch only the last `*` is widened by one: earlier ones need never move, so the work is bounded by the product. */
    size_t p = 0, s = 0, star = SIZE_MAX, star_s = 0;
    while (s < text.n || p < pattern->n) {
        uint16_t token = p < pattern->n ? pattern->t[p] : 0;
        if (p < pattern->n && token == SF_ANY_RUN) {
            star = p++;
            star_s = s;
            continue;
        }
        if (p < pattern->n && s < text.n) {
            if (token == SF_ANY_ONE) {
                p++;
                s += char_bytes(text, s);
                continue;
            }
            char c = text.p[s];
            if ((char)token == c || (folds_case && lower((char)token) == lower(c))) {
                p++;
                s++;
                continue;
            }
        }
        if (star == SIZE_MAX || star_s >= text.n)
            return false;
        p = star + 1;
        s = ++star_s;
    }
    return true;
}

bool sf_iam_match_arn(const struct sf_iam_pattern *pattern, struct sf_str arn)
{
    size_t from = 0;
    for (size_t part = 0; part < 6; part++) {
        size_t to = from;
        while (to < pattern->n && (part == 5 || pattern->t[to] != ':'))
            to++;
        bool is_last = to >= pattern->n;
        struct sf_iam_pattern piece = {pattern->t + from, to - from};
        /* a pattern that ends early ("*", "arn:aws:s3*") covers the rest with its last part, if that ends in a `*` */
        if (is_last && part < 5) {
            if (!piece.n || piece.t[piece.n - 1] != SF_ANY_RUN)
                return false;
            return sf_iam_match(&piece, arn, false);
        }
        size_t cut = part == 5 ? SIZE_MAX : sf_str_find(arn, SF_STR(":"));
        if (part < 5 && cut == SIZE_MAX)
            return false;
        if (!sf_iam_match(&piece, sf_str_slice(arn, 0, cut), false))
            return false;
        if (part < 5)
            arn = sf_str_slice(arn, cut + 1, arn.n);
        from = to + 1;
    }
    return true;
}
