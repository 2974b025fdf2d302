/* See prefix.h. */
#include "resources/iam/prefix.h"

#include "resources/iam/internal.h"

#include <stdlib.h>

/* A name that no policy mentions stands for "anything else in this directory". */
#define ANY_NAME "\x01"

static const struct verb {
    const char *action;
    unsigned bit;
    bool is_on_bucket;
} verbs[] = {
    {"s3:ListBucket", SF_IAM_LIST, true},
    {"s3:GetObject", SF_IAM_GET, false},
    {"s3:PutObject", SF_IAM_PUT, false},
    {"s3:DeleteObject", SF_IAM_DELETE, false},
};

struct cuts {
    struct sf_iam_eval *eval;
    struct sf_str bucket_arn;
    struct sf_str *dirs;
    size_t n, cap;
};

static void add_cut(struct cuts *cuts, struct sf_str dir)
{
    for (size_t i = 0; i < cuts->n; i++) {
        if (sf_str_eq(cuts->dirs[i], dir))
            return;
    }
    cuts->dirs = sf_arena_grow(cuts->eval->arena, cuts->dirs, cuts->n, &cuts->cap, sizeof(*cuts->dirs));
    cuts->dirs[cuts->n++] = sf_str_dup(cuts->eval->arena, dir);
}

static enum sf_code refuse(const struct sf_value *at, struct sf_str pattern, const char *why, const char *hint, struct sf_err *err)
{
    sf_fail(err, SF_E_CONFIG, "'%.*s' cannot be enforced on the local SFTP server: %s", SF_ARG(pattern), why);
    sf_hint(err, "%s", hint);
    if (err)
        err->where = at->mark;
    return SF_E_CONFIG;
}

/* The directory of a key pattern: literal bytes, then one final `*` right after a slash (or at the start). `may_be_exact`: a
 * literal that ends in a slash is a directory too (s3:prefix). */
static enum sf_code add_key_pattern(struct cuts *cuts, const struct sf_value *at, struct sf_str shown, const uint16_t *t, size_t n,
                                    bool may_be_exact, struct sf_err *err)
{
    struct sf_buf dir = SF_BUF(2048);
    enum sf_code rc = SF_OK;
    bool has_star = n > 0 && t[n - 1] == SF_ANY_RUN;
    size_t literal = has_star ? n - 1 : n;
    for (size_t i = 0; i < literal && rc == SF_OK; i++) {
        if (t[i] > 0xff)
            rc = refuse(at, shown, "it has a wildcard before its end", "end it with a directory and '*', as in in/*", err);
        else
            sf_buf_addc(&dir, (char)t[i]);
    }
    struct sf_str text = sf_buf_str(&dir);
    bool at_slash = text.n == 0 || text.p[text.n - 1] == '/';
    if (rc == SF_OK && !has_star && !may_be_exact && n)
        rc = refuse(at, shown, "it names single objects", "name the directory, as in in/*", err);
    else if (rc == SF_OK && has_star && !at_slash)
        rc = refuse(at, shown, "it ends inside a name", "end it at a directory, as in in/*", err);
    if (rc == SF_OK && at_slash)
        add_cut(cuts, sf_str_slice(text, 0, text.n ? text.n - 1 : 0));
    sf_buf_free(&dir);
    return rc;
}

/* What may follow "<bucket_arn>/" in texts that the pattern matches: each tail is a key pattern. */
static enum sf_code add_arn_pattern(struct cuts *cuts, const struct sf_value *at, struct sf_str text, struct sf_err *err)
{
    struct sf_iam_pattern p;
    enum sf_iam_tri known = sf_iam_compile(cuts->eval, text, true, &p);
    if (known == SF_NO)
        return SF_OK;
    if (known == SF_MAYBE)
        return refuse(at, text, "a variable in it is not known",
                      "use Transfer:UserName, Transfer:HomeBucket or Transfer:HomeFolder", err);
    struct sf_str start = sf_str_fmt(cuts->eval->arena, "%.*s/", SF_ARG(cuts->bucket_arn));
    /* the set of places in the pattern after consuming each byte of `start` */
    bool *now = SF_NEW_ARRAY(cuts->eval->arena, p.n + 1, bool), *next = SF_NEW_ARRAY(cuts->eval->arena, p.n + 1, bool);
    now[0] = true;
    for (size_t s = 0; s <= start.n; s++) {
        for (size_t i = 0; i < p.n; i++) { /* a `*` may stand for nothing */
            if (now[i] && p.t[i] == SF_ANY_RUN)
                now[i + 1] = true;
        }
        if (s == start.n)
            break;
        memset(next, 0, (p.n + 1) * sizeof(*next));
        for (size_t i = 0; i < p.n; i++) {
            if (!now[i])
                continue;
            if (p.t[i] == SF_ANY_RUN)
                next[i] = true;
            else if (p.t[i] == SF_ANY_ONE || (char)p.t[i] == start.p[s])
                next[i + 1] = true;
        }
        bool *swap = now;
        now = next;
        next = swap;
    }
    /* "*" alone covers every other tail */
    if (p.n && p.t[p.n - 1] == SF_ANY_RUN && now[p.n - 1])
        return SF_OK;
    for (size_t i = 0; i < p.n; i++) {
        if (!now[i] || (i > 0 && now[i - 1] && p.t[i - 1] == SF_ANY_RUN && i < p.n))
            continue; /* the tail without the leading `*` is part of the one with it */
        enum sf_code rc = add_key_pattern(cuts, at, text, p.t + i, p.n - i, false, err);
        if (rc)
            return rc;
    }
    return SF_OK;
}

static enum sf_code add_resources(struct cuts *cuts, const struct sf_value *list, struct sf_err *err)
{
    for (size_t i = 0; i < sf_iam_count(list); i++) {
        const struct sf_value *item = sf_iam_item(list, i);
        if (item->type != SF_V_STRING)
            continue; /* unknown: the evaluator will say that it depends */
        enum sf_code rc = add_arn_pattern(cuts, item, item->s, err);
        if (rc)
            return rc;
    }
    return SF_OK;
}

/* The directories that a condition on s3:prefix names. Other keys are for the evaluator. */
static enum sf_code add_list_prefixes(struct cuts *cuts, const struct sf_value *conditions, struct sf_err *err)
{
    for (size_t i = 0; conditions && conditions->type == SF_V_MAP && i < conditions->map.n; i++) {
        const struct sf_value *keys = conditions->map.pairs[i].value;
        bool has_wildcards = sf_str_find(conditions->map.pairs[i].key, SF_STR("Like")) != SIZE_MAX;
        for (size_t k = 0; keys->type == SF_V_MAP && k < keys->map.n; k++) {
            if (!sf_iam_equal_fold(keys->map.pairs[k].key, SF_STR("s3:prefix")))
                continue;
            const struct sf_value *wants = keys->map.pairs[k].value;
            for (size_t w = 0; w < sf_iam_count(wants); w++) {
                const struct sf_value *want = sf_iam_item(wants, w);
                struct sf_iam_pattern p;
                if (want->type != SF_V_STRING || sf_iam_compile(cuts->eval, want->s, has_wildcards, &p) != SF_YES)
                    continue;
                enum sf_code rc = add_key_pattern(cuts, want, want->s, p.t, p.n, true, err);
                if (rc)
                    return rc;
            }
        }
    }
    return SF_OK;
}

static bool concerns(struct sf_iam_eval *eval, const struct sf_value *statement, const struct verb *verb)
{
    const struct sf_value *plain = sf_map_getz(statement, "Action"), *inverse = sf_map_getz(statement, "NotAction");
    if (!plain)
        return inverse != NULL; /* nearly everything */
    for (size_t i = 0; i < sf_iam_count(plain); i++) {
        const struct sf_value *item = sf_iam_item(plain, i);
        struct sf_iam_pattern p;
        if (item->type != SF_V_STRING)
            return true;
        if (sf_iam_compile(eval, item->s, true, &p) == SF_YES && sf_iam_match(&p, sf_str_of(verb->action), true))
            return true;
    }
    return false;
}

static enum sf_code add_statement(struct cuts *cuts, const struct sf_value *statement, struct sf_err *err)
{
    bool on_bucket = false, on_objects = false;
    for (size_t i = 0; i < SF_COUNT(verbs); i++) {
        bool hit = concerns(cuts->eval, statement, &verbs[i]);
        on_bucket = on_bucket || (hit && verbs[i].is_on_bucket);
        on_objects = on_objects || (hit && !verbs[i].is_on_bucket);
    }
    enum sf_code rc = SF_OK;
    if (on_objects && sf_map_getz(statement, "Resource"))
        rc = add_resources(cuts, sf_map_getz(statement, "Resource"), err);
    if (rc == SF_OK && on_objects && sf_map_getz(statement, "NotResource"))
        rc = add_resources(cuts, sf_map_getz(statement, "NotResource"), err);
    if (rc == SF_OK && on_bucket)
        rc = add_list_prefixes(cuts, sf_map_getz(statement, "Condition"), err);
    return rc;
}

static enum sf_code add_documents(struct cuts *cuts, const struct sf_value *documents, struct sf_err *err)
{
    for (size_t i = 0; documents && i < sf_iam_count(documents); i++) {
        const struct sf_value *document = sf_iam_item(documents, i), *statements = sf_map_getz(document, "Statement");
        cuts->eval->has_variables = sf_str_is(sf_map_str(document, "Version"), "2012-10-17");
        for (size_t k = 0; statements && k < sf_iam_count(statements); k++) {
            enum sf_code rc = add_statement(cuts, sf_iam_item(statements, k), err);
            if (rc)
                return rc;
        }
    }
    return SF_OK;
}

/* Asks the evaluator; what is not known beforehand is refused. */
static enum sf_code ask(struct sf_arena *arena, const struct sf_iam_request *request, const struct sf_iam_policies *policies,
                        const struct verb *verb, struct sf_str bucket_arn, struct sf_str key, bool *allowed, struct sf_err *err)
{
    struct sf_iam_request one = *request;
    struct sf_iam_answer answer;
    one.is_context_complete = false;
    if (verb->is_on_bucket) {
        struct sf_value *context = sf_value_map(arena);
        for (size_t i = 0; request->context && i < request->context->map.n; i++)
            sf_map_add(arena, context, request->context->map.pairs[i].key, request->context->map.pairs[i].value);
        sf_map_set_str(arena, context, "s3:prefix", key);
        sf_map_set_str(arena, context, "s3:delimiter", SF_STR("/"));
        one.context = context;
    }
    enum sf_code rc =
        sf_iam_s3_allows(arena, &one, policies, verb->action, bucket_arn, verb->is_on_bucket ? SF_STR_NONE : key, &answer, err);
    if (rc)
        return rc;
    *allowed = answer.decision == SF_IAM_ALLOWED;
    if (answer.decision != SF_IAM_DEPENDS)
        return SF_OK;
    sf_fail(err, SF_E_CONFIG, "%s on '%.*s' depends on '%.*s', which the local SFTP server cannot know", verb->action,
            SF_ARG(bucket_arn), SF_ARG(answer.unknown));
    sf_hint(err, "take the condition out of the %s, or put it on what only AWS runs", answer.source);
    if (err && answer.statement)
        err->where = answer.statement->mark;
    return SF_E_CONFIG;
}

static int by_text(const void *a, const void *b)
{
    return sf_str_cmp(*(const struct sf_str *)a, *(const struct sf_str *)b);
}

enum sf_code sf_iam_areas(struct sf_arena *arena, const struct sf_iam_request *request, const struct sf_iam_policies *policies,
                          struct sf_str bucket_arn, struct sf_iam_area **areas, size_t *n, struct sf_err *err)
{
    struct sf_iam_request known = *request;
    known.is_context_complete = false;
    struct sf_iam_eval eval = {.arena = arena, .request = &known};
    struct cuts cuts = {.eval = &eval, .bucket_arn = bucket_arn};
    const struct sf_value *documents[] = {policies->identity, policies->resource, policies->boundary, policies->session};
    *areas = NULL;
    *n = 0;
    add_cut(&cuts, SF_STR_NONE);
    for (size_t i = 0; i < SF_COUNT(documents); i++) {
        enum sf_code rc = add_documents(&cuts, documents[i], err);
        if (rc)
            return rc;
    }
    qsort(cuts.dirs, cuts.n, sizeof(*cuts.dirs), by_text);
    struct sf_iam_area *list = SF_NEW_ARRAY(arena, cuts.n, struct sf_iam_area);
    for (size_t i = 0; i < cuts.n; i++) {
        struct sf_str dir = cuts.dirs[i];
        struct sf_str itself = dir.n ? sf_str_fmt(arena, "%.*s/", SF_ARG(dir)) : dir;
        list[i].dir = dir;
        for (size_t v = 0; v < SF_COUNT(verbs); v++) {
            bool allowed;
            struct sf_str key = sf_str_fmt(arena, "%.*s" ANY_NAME "%s", SF_ARG(itself), verbs[v].is_on_bucket ? "/" : "");
            enum sf_code rc = ask(arena, request, policies, &verbs[v], bucket_arn, key, &allowed, err);
            if (rc)
                return rc;
            list[i].below |= allowed ? verbs[v].bit : 0;
        }
        enum sf_code rc = ask(arena, request, policies, &verbs[0], bucket_arn, itself, &list[i].may_list, err);
        if (rc)
            return rc;
    }
    *areas = list;
    *n = cuts.n;
    return SF_OK;
}

const struct sf_iam_area *sf_iam_area_of(const struct sf_iam_area *areas, size_t n, struct sf_str key)
{
    const struct sf_iam_area *best = n ? &areas[0] : NULL;
    for (size_t i = 1; i < n; i++) {
        struct sf_str dir = areas[i].dir;
        if (sf_str_eq(key, dir) || (sf_str_starts(key, dir) && key.n > dir.n && key.p[dir.n] == '/'))
            best = dir.n >= best->dir.n ? &areas[i] : best;
    }
    return best;
}
