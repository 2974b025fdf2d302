/* See check.h. Rules are those of the service that will see the text; where that is AWS, of its API reference. */
#include "engine/lang/check.h"

#include "engine/core/cidr.h"
#include "engine/core/json.h"

#include <ctype.h>
#include <strings.h>

enum { MAX_POLICY_CHARS = 6144 }; /* IAM quota for a managed policy, blanks not counted */
enum { MAX_TAGS = 50 - 3, MAX_TAG_KEY_CHARS = 128, MAX_TAG_VALUE_CHARS = 256 };

static enum sf_code bad(const char *what, const struct sf_value *v, struct sf_diags *diags, const char *why, const char *help)
{
    sf_diag_error(diags, "SF0221", v->mark, "%s: '%.*s' %s", what, SF_ARG(sf_str_slice(v->s, 0, 128)), why);
    if (help)
        sf_diag_help(diags, "%s", help);
    return SF_E_CONFIG;
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Whether all characters are of [A-Za-z0-9_] or in `more`. */
static bool is_of(struct sf_str s, const char *more)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_word(s.p[i]) && !(s.p[i] && strchr(more, s.p[i])))
            return false;
    return true;
}

static bool looks_like_ipv4(struct sf_str s)
{
    size_t dots = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i]) && s.p[i] != '.')
            return false;
        dots += s.p[i] == '.';
    }
    return dots == 3;
}

/* S3 user guide, "Bucket naming rules". */
static enum sf_code check_bucket_name(const char *what, const struct sf_value *v, struct sf_diags *diags)
{
    static const char help[] = "3 to 63 of a-z, 0-9, '-' and '.', a letter or digit at both ends";
    struct sf_str s = v->s;
    if (s.n < 3 || s.n > 63)
        return bad(what, v, diags, "is no bucket name: it has not 3 to 63 characters", help);
    for (size_t i = 0; i < s.n; i++)
        if (!is_lower(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '.')
            return bad(what, v, diags, "is no bucket name: a character is not allowed", help);
    if (s.p[0] == '-' || s.p[0] == '.' || s.p[s.n - 1] == '-' || s.p[s.n - 1] == '.')
        return bad(what, v, diags, "is no bucket name: it starts or ends with '-' or '.'", help);
    if (sf_str_find(s, SF_STR("..")) != SIZE_MAX)
        return bad(what, v, diags, "is no bucket name: two dots in a row", help);
    if (looks_like_ipv4(s))
        return bad(what, v, diags, "is no bucket name: it looks like an IP address", help);
    if (sf_str_starts(s, SF_STR("xn--")) || sf_str_starts(s, SF_STR("sthree-")) || sf_str_ends(s, SF_STR("-s3alias")) ||
        sf_str_ends(s, SF_STR("--ol-s3")))
        return bad(what, v, diags, "is no bucket name: S3 keeps this prefix or suffix for itself", NULL);
    return SF_OK;
}

/* IAM API reference: [\w+=,.@-]; the schema's max says how many (role 64, policy 128). */
static enum sf_code check_iam_name(const char *what, const struct sf_value *v, struct sf_diags *diags)
{
    if (v->s.n && v->s.n <= 128 && is_of(v->s, "+=,.@-"))
        return SF_OK;
    return bad(what, v, diags, "is no IAM name", "1 to 128 of letters, digits and _+=,.@-");
}

/* IAM API reference: "/" or printable ASCII between two of them. */
static enum sf_code check_iam_path(const char *what, const struct sf_value *v, struct sf_diags *diags)
{
    struct sf_str s = v->s;
    bool ok = s.n >= 1 && s.n <= 512 && s.p[0] == '/' && s.p[s.n - 1] == '/';
    for (size_t i = 0; i < s.n && ok; i++)
        ok = s.p[i] > ' ' && s.p[i] < 127;
    return ok ? SF_OK : bad(what, v, diags, "is no IAM path", "'/', or a path that begins and ends with it: /city/finance/");
}

static enum sf_code check_cidr(const char *what, const struct sf_value *v, struct sf_diags *diags)
{
    struct sf_cidr cidr;
    if (sf_cidr_parse(v->s, false, &cidr))
        return SF_OK;
    if (sf_cidr_parse(v->s, true, &cidr)) {
        bad(what, v, diags, "is an address, not a network", NULL);
        sf_diag_help(diags, "for this one address write '%.*s/%d'", SF_ARG(v->s), cidr.is_v6 ? 128 : 32);
        return SF_E_CONFIG;
    }
    return bad(what, v, diags, "is no CIDR", "write a network as 10.1.0.0/16 or 2001:db8::/32");
}

static enum sf_code check_port(const char *what, const struct sf_value *v, struct sf_diags *diags)
{
    if (v->type == SF_V_INT && v->i >= 1 && v->i <= 65535)
        return SF_OK;
    if (v->type == SF_V_INT)
        return sf_diag_error(diags, "SF0221", v->mark, "%s: %lld is no port: 1 to 65535", what, (long long)v->i);
    return sf_diag_error(diags, "SF0221", v->mark, "%s: a port is a number, 1 to 65535", what);
}

/* Redshift CreateCluster: 1-63 lower case letters, digits, hyphens; a letter first; no hyphen last, no two in a row. */
static enum sf_code check_identifier(const char *what, const struct sf_value *v, struct sf_diags *diags)
{
    struct sf_str s = v->s;
    bool ok = s.n >= 1 && s.n <= 63 && is_lower(s.p[0]) && s.p[s.n - 1] != '-' && sf_str_find(s, SF_STR("--")) == SIZE_MAX;
    for (size_t i = 0; i < s.n && ok; i++)
        ok = is_lower(s.p[i]) || is_digit(s.p[i]) || s.p[i] == '-';
    return ok ? SF_OK
              : bad(what, v, diags, "is no cluster identifier",
                    "1 to 63 of a-z, 0-9 and '-', a letter first, no '-' at the end and no two in a row");
}

/* An identifier that PostgreSQL and Redshift take unquoted and unfolded. */
static enum sf_code check_sql_name(const char *what, const struct sf_value *v, struct sf_diags *diags)
{
    struct sf_str s = v->s;
    bool ok = s.n >= 1 && s.n <= 63 && (is_lower(s.p[0]) || s.p[0] == '_');
    for (size_t i = 0; i < s.n && ok; i++)
        ok = is_lower(s.p[i]) || is_digit(s.p[i]) || s.p[i] == '_';
    if (!ok)
        return bad(what, v, diags, "is no SQL name", "1 to 63 of a-z, 0-9 and '_', a letter first");
    if (sf_str_starts(s, SF_STR("pg_")))
        return bad(what, v, diags, "is no SQL name of ours: 'pg_' belongs to the database", NULL);
    return SF_OK;
}

/* Transfer CreateUser: [\w][\w@.-]{2,99}. */
static enum sf_code check_user_name(const char *what, const struct sf_value *v, struct sf_diags *diags)
{
    if (v->s.n >= 3 && v->s.n <= 100 && is_word(v->s.p[0]) && is_of(v->s, "@.-"))
        return SF_OK;
    return bad(what, v, diags, "is no SFTP user name", "3 to 100 of letters, digits and _@.-, not one of @.- first");
}

/* An object key prefix: no empty, '.' or '..' part, so that it means the same as a path. */
static enum sf_code check_key_prefix(const char *what, const struct sf_value *v, struct sf_diags *diags)
{
    struct sf_str rest = v->s;
    bool ok = rest.n <= 512;
    while (rest.n && ok) {
        size_t slash = sf_str_find(rest, SF_STR("/"));
        struct sf_str part = sf_str_slice(rest, 0, slash);
        ok = part.n && !sf_str_is(part, ".") && !sf_str_is(part, "..");
        for (size_t i = 0; i < part.n && ok; i++)
            ok = (unsigned char)part.p[i] >= 0x20 && part.p[i] != 0x7f;
        rest = slash == SIZE_MAX ? SF_STR_NONE : sf_str_slice(rest, slash + 1, rest.n);
    }
    return ok ? SF_OK
              : bad(what, v, diags, "is no key prefix", "write it like 'incoming/weekly', without '/' in front and without '..'");
}

static enum sf_code check_file_path(const char *what, const struct sf_value *v, struct sf_diags *diags)
{
    bool ok = v->s.n >= 1 && v->s.n <= 4096;
    for (size_t i = 0; i < v->s.n && ok; i++)
        ok = (unsigned char)v->s.p[i] >= 0x20 && v->s.p[i] != 0x7f;
    return ok ? SF_OK : bad(what, v, diags, "is no path", "a path is relative to the stack file");
}

static enum sf_code check_arn(const char *what, const struct sf_value *v, struct sf_diags *diags)
{
    size_t colons = 0;
    for (size_t i = 0; i < v->s.n; i++)
        colons += v->s.p[i] == ':';
    if (sf_str_starts(v->s, SF_STR("arn:")) && colons >= 5)
        return SF_OK;
    return bad(what, v, diags, "is no ARN", "an ARN is 'arn:partition:service:region:account:resource'");
}

/* --- IAM policy documents: "Grammar of the IAM JSON policy language" --- */

struct policy {
    const char *what;
    struct sf_diags *diags;
    bool is_trust; /* has Principal and no Resource */
};

static enum sf_code bad_policy(const struct policy *p, const struct sf_value *v, const char *fmt, ...) SF_PRINTF(3, 4);
static enum sf_code bad_policy(const struct policy *p, const struct sf_value *v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct sf_str text = sf_str_vfmt(p->diags->arena, fmt, ap);
    va_end(ap);
    return sf_diag_error(p->diags, "SF0222", v->mark, "%s: %s", p->what, text.p);
}

static enum sf_code check_keys(const struct policy *p, const struct sf_value *map, const char *of, const char *const *names,
                               size_t n)
{
    enum sf_code rc = SF_OK;
    for (size_t i = 0; i < map->map.n; i++) {
        const struct sf_pair *pair = &map->map.pairs[i];
        size_t k = 0;
        while (k < n && !sf_str_is(pair->key, names[k]))
            k++;
        if (k < n)
            continue;
        struct sf_value at = {.mark = pair->key_mark};
        struct sf_str list[16];
        for (size_t j = 0; j < n; j++)
            list[j] = sf_str_of(names[j]);
        rc = bad_policy(p, &at, "unknown element '%.*s' of %s", SF_ARG(sf_str_slice(pair->key, 0, 64)), of);
        sf_diag_help_nearest(p->diags, pair->key, list, n);
    }
    return rc;
}

/* service:Action with * and ?; "*" alone. */
static bool is_action(struct sf_str s)
{
    if (sf_str_is(s, "*"))
        return true;
    size_t colon = sf_str_find(s, SF_STR(":"));
    struct sf_str service = sf_str_slice(s, 0, colon), name = colon == SIZE_MAX ? SF_STR_NONE : sf_str_slice(s, colon + 1, s.n);
    return service.n && name.n && is_of(service, "-") && is_of(name, "*?");
}

static bool is_resource(struct sf_str s)
{
    return sf_str_is(s, "*") || sf_str_starts(s, SF_STR("arn:"));
}

/* A string or a non-empty list of strings, each of which `fits`. */
static enum sf_code check_strings(const struct policy *p, const char *element, const struct sf_value *v,
                                  bool (*fits)(struct sf_str))
{
    if (v->type == SF_V_UNKNOWN)
        return SF_OK;
    const struct sf_value *const one[] = {v};
    const struct sf_value *const *items = v->type == SF_V_LIST ? v->list.items : one;
    size_t n = v->type == SF_V_LIST ? v->list.n : 1;
    if (!n)
        return bad_policy(p, v, "%s is an empty list", element);
    for (size_t i = 0; i < n; i++) {
        if (items[i]->type == SF_V_UNKNOWN)
            continue;
        if (items[i]->type != SF_V_STRING)
            return bad_policy(p, items[i], "%s must be text or a list of texts", element);
        if (fits && !fits(items[i]->s)) {
            bad_policy(p, items[i], "'%.*s' is no %s", SF_ARG(sf_str_slice(items[i]->s, 0, 128)), element);
            if (fits == is_action)
                sf_diag_help(p->diags, "an action is written service:Name, as in s3:GetObject");
            else
                sf_diag_help(p->diags, "a resource is '*' or an ARN, as in arn:aws:s3:::bucket/*");
            return SF_E_CONFIG;
        }
    }
    return SF_OK;
}

/* Exactly one of the two elements, which holds texts. */
static enum sf_code check_either(const struct policy *p, const struct sf_value *statement, const char *a, const char *b,
                                 bool (*fits)(struct sf_str))
{
    const struct sf_value *va = sf_map_getz(statement, a), *vb = sf_map_getz(statement, b);
    if (!va == !vb)
        return bad_policy(p, statement, "a statement needs %s %s or %s", va ? "only one of" : "one of", a, b);
    return check_strings(p, va ? a : b, va ? va : vb, fits);
}

static enum sf_code check_condition(const struct policy *p, const struct sf_value *condition)
{
    if (condition->type == SF_V_UNKNOWN)
        return SF_OK;
    if (condition->type != SF_V_MAP)
        return bad_policy(p, condition, "Condition must be a map of operators");
    for (size_t i = 0; i < condition->map.n; i++) {
        const struct sf_value *keys = condition->map.pairs[i].value;
        if (keys->type == SF_V_UNKNOWN)
            continue;
        if (keys->type != SF_V_MAP || !keys->map.n) {
            bad_policy(p, keys, "condition '%.*s' must be a map of keys to values", SF_ARG(condition->map.pairs[i].key));
            sf_diag_help(p->diags, "as in StringEquals: {\"aws:RequestedRegion\": us-west-2}");
            return SF_E_CONFIG;
        }
        for (size_t k = 0; k < keys->map.n; k++) {
            const struct sf_value *v = keys->map.pairs[k].value;
            if (v->type == SF_V_MAP || v->type == SF_V_NULL)
                return bad_policy(p, v, "the value of a condition must be text or a list of texts");
        }
    }
    return SF_OK;
}

static bool is_alphanumeric(struct sf_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_word(s.p[i]) || s.p[i] == '_')
            return false;
    return s.n > 0;
}

static enum sf_code check_statement(const struct policy *p, const struct sf_value *s)
{
    static const char *const names[] = {"Sid",       "Effect",   "Principal",   "NotPrincipal", "Action",
                                        "NotAction", "Resource", "NotResource", "Condition"};
    if (s->type == SF_V_UNKNOWN)
        return SF_OK;
    if (s->type != SF_V_MAP)
        return bad_policy(p, s, "a statement must be a map");
    enum sf_code rc = check_keys(p, s, "a statement", names, SF_COUNT(names));
    if (rc)
        return rc;
    const struct sf_value *sid = sf_map_getz(s, "Sid"), *effect = sf_map_getz(s, "Effect");
    if (sid && sid->type != SF_V_UNKNOWN && !(sid->type == SF_V_STRING && is_alphanumeric(sid->s)))
        return bad_policy(p, sid, "Sid must be of A-Z, a-z and 0-9");
    if (!effect)
        return bad_policy(p, s, "a statement needs Effect: Allow or Deny");
    if (effect->type != SF_V_UNKNOWN &&
        !(effect->type == SF_V_STRING && (sf_str_is(effect->s, "Allow") || sf_str_is(effect->s, "Deny"))))
        return bad_policy(p, effect, "Effect must be Allow or Deny");
    if ((rc = check_either(p, s, "Action", "NotAction", is_action)))
        return rc;
    bool has_principal = sf_map_getz(s, "Principal") || sf_map_getz(s, "NotPrincipal");
    bool has_resource = sf_map_getz(s, "Resource") || sf_map_getz(s, "NotResource");
    if (p->is_trust && has_resource)
        return bad_policy(p, s, "a trust policy has no Resource");
    if (p->is_trust && !has_principal)
        return bad_policy(p, s, "a trust policy needs Principal");
    if (!p->is_trust && has_principal) {
        bad_policy(p, s, "a policy that is attached to a role has no Principal");
        sf_diag_help(p->diags, "who may use the role is said by the role's own 'trust'");
        return SF_E_CONFIG;
    }
    if (!p->is_trust && (rc = check_either(p, s, "Resource", "NotResource", is_resource)))
        return rc;
    const struct sf_value *condition = sf_map_getz(s, "Condition");
    return condition ? check_condition(p, condition) : SF_OK;
}

static size_t count_chars(const struct sf_value *v)
{
    struct sf_buf buf = SF_BUF(SF_MAX_JSON_BYTES);
    sf_json_write(&buf, v, SF_JSON_PLAIN);
    size_t n = 0;
    for (size_t i = 0; i < buf.n; i++)
        n += !isspace((unsigned char)buf.p[i]) && ((unsigned char)buf.p[i] & 0xc0) != 0x80;
    sf_buf_free(&buf);
    return n;
}

static enum sf_code check_document(const struct policy *p, const struct sf_value *v)
{
    static const char *const names[] = {"Version", "Id", "Statement"};
    if (v->type != SF_V_MAP)
        return bad_policy(p, v, "a policy document must be a map with Version and Statement");
    enum sf_code rc = check_keys(p, v, "a policy document", names, SF_COUNT(names));
    if (rc)
        return rc;
    if (count_chars(v) > MAX_POLICY_CHARS)
        return bad_policy(p, v, "larger than %d characters, IAM's limit for a policy", MAX_POLICY_CHARS);
    const struct sf_value *version = sf_map_getz(v, "Version"), *statement = sf_map_getz(v, "Statement");
    if (version && version->type != SF_V_UNKNOWN &&
        !(version->type == SF_V_STRING && (sf_str_is(version->s, "2012-10-17") || sf_str_is(version->s, "2008-10-17")))) {
        bad_policy(p, version, "Version must be \"2012-10-17\" (or the older \"2008-10-17\")");
        sf_diag_help(p->diags, "it is the version of the policy language, not of your policy");
        return SF_E_CONFIG;
    }
    if (!statement)
        return bad_policy(p, v, "a policy document needs Statement");
    if (statement->type == SF_V_UNKNOWN)
        return SF_OK;
    if (statement->type != SF_V_LIST) {
        rc = check_statement(p, statement);
    } else {
        if (!statement->list.n)
            return bad_policy(p, statement, "Statement is an empty list");
        for (size_t i = 0; i < statement->list.n; i++) {
            enum sf_code one = check_statement(p, statement->list.items[i]);
            rc = one ? one : rc;
            struct sf_str sid = sf_map_str(statement->list.items[i], "Sid");
            for (size_t k = 0; k < i && sid.n; k++)
                if (sf_str_eq(sid, sf_map_str(statement->list.items[k], "Sid")))
                    rc = bad_policy(p, statement->list.items[i], "Sid '%.*s' is used twice", SF_ARG(sid));
        }
    }
    return rc;
}

static enum sf_code check_policy_document(const char *what, const struct sf_value *v, struct sf_diags *diags)
{
    return check_document(&(struct policy){what, diags, false}, v);
}

static enum sf_code check_trust_document(const char *what, const struct sf_value *v, struct sf_diags *diags)
{
    return check_document(&(struct policy){what, diags, true}, v);
}

static enum sf_code bad_tag(const char *what, const struct sf_pair *tag, struct sf_diags *diags, const char *why)
{
    struct sf_mark mark = tag->key_mark.line ? tag->key_mark : tag->value->mark;
    return sf_diag_error(diags, "SF0221", mark, "%s: the tag '%.*s' %s", what, SF_ARG(sf_str_slice(tag->key, 0, 128)), why);
}

static size_t chars_of(struct sf_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

/* What IAM, S3 and Transfer Family take in keys and values; letters beyond ASCII are left to them. */
static bool is_tag_text(struct sf_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x80 && !is_word(s.p[i]) && !(s.p[i] && strchr(" .:/=+-@", s.p[i])))
            return false;
    return true;
}

/* AWS General Reference, "Tag naming limits and requirements". Three of the 50 tags that a thing may have are sfstack's. */
static enum sf_code check_tags(const char *what, const struct sf_value *v, struct sf_diags *diags)
{
    for (size_t i = 0; v->type == SF_V_MAP && i < v->map.n; i++) {
        const struct sf_pair *tag = &v->map.pairs[i];
        struct sf_str text = tag->value->type == SF_V_STRING ? tag->value->s : SF_STR_NONE;
        if (strncasecmp(tag->key.p, "sfstack:", 8) == 0 || strncasecmp(tag->key.p, "aws:", 4) == 0)
            return bad_tag(what, tag, diags, "cannot be set: its prefix is reserved");
        if (!tag->key.n || chars_of(tag->key) > MAX_TAG_KEY_CHARS)
            return bad_tag(what, tag, diags, "has not 1 to 128 characters");
        if (chars_of(text) > MAX_TAG_VALUE_CHARS)
            return bad_tag(what, tag, diags, "has a value of more than 256 characters");
        if (!is_tag_text(tag->key) || !is_tag_text(text)) {
            bad_tag(what, tag, diags, "has a character that AWS refuses");
            sf_diag_help(diags, "letters, digits, blanks and _.:/=+-@ are allowed, in the value too");
            return SF_E_CONFIG;
        }
    }
    if (v->type == SF_V_MAP && v->map.n > MAX_TAGS)
        return sf_diag_error(diags, "SF0223", v->mark, "%s: more than %d; with sfstack's own three they are AWS's limit of 50",
                             what, MAX_TAGS);
    return SF_OK;
}

typedef enum sf_code check_fn(const char *what, const struct sf_value *v, struct sf_diags *diags);

static const struct {
    const char *name;
    check_fn *check;
    bool wants_text;
} checks[] = {
    {"arn", check_arn, true},
    {"bucket_name", check_bucket_name, true},
    {"cidr", check_cidr, true},
    {"file_path", check_file_path, true},
    {"iam_name", check_iam_name, true},
    {"iam_path", check_iam_path, true},
    {"identifier", check_identifier, true},
    {"key_prefix", check_key_prefix, true},
    {"policy_document", check_policy_document, false},
    {"port", check_port, false},
    {"sql_name", check_sql_name, true},
    {"tags", check_tags, false},
    {"trust_document", check_trust_document, false},
    {"user_name", check_user_name, true},
};

bool sf_check_exists(const char *name)
{
    for (size_t i = 0; i < SF_COUNT(checks); i++)
        if (strcmp(checks[i].name, name) == 0)
            return true;
    return false;
}

enum sf_code sf_check_run(const char *name, const char *what, const struct sf_value *v, struct sf_diags *diags)
{
    for (size_t i = 0; i < SF_COUNT(checks); i++) {
        if (strcmp(checks[i].name, name) != 0)
            continue;
        if (checks[i].wants_text && v->type != SF_V_STRING)
            return sf_diag_error(diags, "SF0220", v->mark, "%s: must be text", what);
        return checks[i].check(what, v, diags);
    }
    return sf_diag_error(diags, "SF0299", v->mark, "%s: the schema names a check '%s' that does not exist", what, name);
}
